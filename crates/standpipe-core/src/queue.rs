//! A first-in-first-out queue whose members may leave from the middle.
//!
//! This module is for the crates of this workspace and is no part of the stable interface.

/// A place in a [`WaitQueue`]. It is never reused: a ticket of someone who has left finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    serial: u64,
}

impl Ticket {
    /// The order of arrival: a later ticket has a larger number.
    pub fn serial(self) -> u64 {
        self.serial
    }
}

#[derive(Debug)]
struct Node<T> {
    serial: u64,
    prev: u32,
    next: u32,
    linked: bool,
    value: Option<T>,
}

const NONE: u32 = u32::MAX;

/// A queue in the order of arrival; joining, leaving from anywhere and taking the head each cost
/// the same however long the queue is.
///
/// The nodes sit in one `Vec` and are linked by index, so a queue that has grown once allocates
/// no more.
#[derive(Debug)]
pub struct WaitQueue<T> {
    nodes: Vec<Node<T>>,
    free: u32,
    head: u32,
    tail: u32,
    len: usize,
    detached: usize,
    serial: u64,
}

impl<T> Default for WaitQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> WaitQueue<T> {
    /// An empty queue; it allocates at the first arrival.
    pub const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            head: NONE,
            tail: NONE,
            len: 0,
            detached: 0,
            serial: 0,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The serial number that the next arrival will have.
    pub fn next_serial(&self) -> u64 {
        self.serial
    }

    /// Joins at the tail.
    pub fn push(&mut self, value: T) -> Ticket {
        let serial = self.serial;
        self.serial += 1;
        let node = Node {
            serial,
            prev: self.tail,
            next: NONE,
            linked: true,
            value: Some(value),
        };
        let slot = if self.free == NONE {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 waiters")
        } else {
            let slot = self.free;
            self.free = self.nodes[slot as usize].next;
            self.nodes[slot as usize] = node;
            slot
        };
        match self.tail {
            NONE => self.head = slot,
            tail => self.nodes[tail as usize].next = slot,
        }
        self.tail = slot;
        self.len += 1;
        Ticket { slot, serial }
    }

    /// The one who has waited longest.
    pub fn front(&self) -> Option<&T> {
        self.nodes.get(self.head as usize)?.value.as_ref()
    }

    /// The one who has waited longest, with its ticket.
    pub fn front_mut(&mut self) -> Option<(Ticket, &mut T)> {
        let slot = self.head;
        let node = self.nodes.get_mut(slot as usize)?;
        let ticket = Ticket {
            slot,
            serial: node.serial,
        };
        node.value.as_mut().map(|value| (ticket, value))
    }

    /// Takes the one who has waited longest.
    pub fn pop(&mut self) -> Option<(Ticket, T)> {
        let slot = self.head;
        let serial = self.nodes.get(slot as usize)?.serial;
        let ticket = Ticket { slot, serial };
        self.remove(ticket).map(|value| (ticket, value))
    }

    /// Takes the one who has waited longest out of the order, but keeps its value under its
    /// ticket until [`remove`](WaitQueue::remove): it was served and has yet to collect.
    pub fn detach_front(&mut self) -> Option<(Ticket, &mut T)> {
        let slot = self.head;
        let serial = self.nodes.get(slot as usize)?.serial;
        self.unlink(slot);
        self.detached += 1;
        let value = self.nodes[slot as usize].value.as_mut()?;
        Some((Ticket { slot, serial }, value))
    }

    /// What stands under `ticket`, waiting or detached, unless it has left.
    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        let node = self.nodes.get_mut(ticket.slot as usize)?;
        if node.serial != ticket.serial {
            return None;
        }
        node.value.as_mut()
    }

    /// Leaves from wherever the ticket stands; `None` when it has left already.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let node = self.nodes.get_mut(ticket.slot as usize)?;
        if node.serial != ticket.serial {
            return None;
        }
        let value = node.value.take()?;
        if node.linked {
            self.unlink(ticket.slot);
        } else {
            self.detached -= 1;
        }
        self.nodes[ticket.slot as usize].next = self.free;
        self.free = ticket.slot;
        if self.len == 0 && self.detached == 0 {
            self.shrink();
        }
        Some(value)
    }

    fn unlink(&mut self, slot: u32) {
        let node = &mut self.nodes[slot as usize];
        node.linked = false;
        let (prev, next) = (node.prev, node.next);
        match prev {
            NONE => self.head = next,
            prev => self.nodes[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => self.nodes[next as usize].prev = prev,
        }
        self.len -= 1;
    }

    /// All who wait, longest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.tickets().map(|(_, value)| value)
    }

    /// All who wait with their tickets, longest first.
    pub fn tickets(&self) -> impl Iterator<Item = (Ticket, &T)> {
        let mut slot = self.head;
        std::iter::from_fn(move || {
            let node = self.nodes.get(slot as usize)?;
            let ticket = Ticket {
                slot,
                serial: node.serial,
            };
            slot = node.next;
            node.value.as_ref().map(|value| (ticket, value))
        })
    }

    /// Gives a rush's memory back once the queue has run empty.
    fn shrink(&mut self) {
        const KEEP: usize = 64;
        if self.nodes.len() > KEEP {
            self.nodes = Vec::new();
            self.free = NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn leaving_from_the_middle_keeps_the_order_of_the_rest() {
        let mut queue = WaitQueue::new();
        let tickets: Vec<_> = (0..4).map(|n| queue.push(n)).collect();
        assert_eq!(queue.remove(tickets[1]), Some(1));
        assert_eq!(queue.remove(tickets[3]), Some(3));
        assert_eq!(queue.remove(tickets[0]), Some(0));
        assert_eq!(queue.pop().map(|(_, n)| n), Some(2));
        assert!(queue.is_empty());
    }

    #[test]
    fn an_old_ticket_finds_nothing_in_a_reused_slot() {
        let mut queue = WaitQueue::new();
        let first = queue.push('a');
        queue.push('b');
        assert_eq!(queue.remove(first), Some('a'));
        let third = queue.push('c');
        assert_eq!(queue.remove(first), None);
        assert_eq!(queue.get_mut(third), Some(&mut 'c'));
    }

    #[test]
    fn one_who_was_served_leaves_the_order_and_keeps_a_place_to_collect() {
        let mut queue = WaitQueue::new();
        let first = queue.push(1);
        queue.push(2);
        let (served, value) = queue.detach_front().unwrap();
        *value = 10;
        assert_eq!((served, queue.len()), (first, 1));
        assert_eq!(queue.front(), Some(&2));
        assert_eq!(queue.pop().map(|(_, n)| n), Some(2));
        assert_eq!(queue.remove(first), Some(10));
        assert_eq!(queue.remove(first), None);
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_list(ops in proptest::collection::vec((0u8..3, any::<prop::sample::Index>()), 0..300)) {
            let mut queue = WaitQueue::new();
            let mut model: Vec<(Ticket, usize)> = Vec::new();
            for (n, (op, pick)) in ops.into_iter().enumerate() {
                match op {
                    0 => model.push((queue.push(n), n)),
                    1 => {
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(queue.pop(), expected);
                    }
                    _ if !model.is_empty() => {
                        let (ticket, value) = model.remove(pick.index(model.len()));
                        prop_assert_eq!(queue.remove(ticket), Some(value));
                        prop_assert_eq!(queue.remove(ticket), None);
                    }
                    _ => {}
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.front(), model.first().map(|(_, n)| n));
                prop_assert!(queue.iter().eq(model.iter().map(|(_, n)| n)));
            }
        }
    }
}
