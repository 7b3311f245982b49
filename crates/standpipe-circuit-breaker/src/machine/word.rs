use crate::State;

/// What the fast path reads, in one: the state, whether it is held by hand, the failures in a row
/// and the number of the period.
///
/// The state, the hold and the period change under the machine's lock alone; the failures of a closed
/// breaker change without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

const STATE: u64 = 0b11;
const HELD: u64 = 1 << 2;
const FAILURES: u32 = 3;
const FAILURES_MASK: u64 = (1 << 24) - 1;
const GENERATION: u32 = 27;

impl Word {
    /// The first word of the period `generation`, which is cut to 37 bits: a call of an earlier
    /// period is taken for one of this only after 137,438,953,472 periods.
    pub(super) fn new(state: State, held: bool, generation: u64) -> Self {
        let held = if held { HELD } else { 0 };
        Self(state as u64 | held | generation << GENERATION)
    }

    /// The first word of the next period.
    pub(super) fn after(self, state: State, held: bool) -> Self {
        Self::new(state, held, self.generation() + 1)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn state(self) -> State {
        match self.0 & STATE {
            0 => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        }
    }

    #[inline]
    pub(super) fn is_held(self) -> bool {
        self.0 & HELD != 0
    }

    #[inline]
    pub(super) fn failures(self) -> u32 {
        (self.0 >> FAILURES & FAILURES_MASK) as u32
    }

    #[inline]
    pub(super) fn generation(self) -> u64 {
        self.0 >> GENERATION
    }

    pub(super) fn with_failures(self, failures: u32) -> Self {
        let rest = self.0 & !(FAILURES_MASK << FAILURES);
        Self(rest | (u64::from(failures) & FAILURES_MASK) << FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trip;

    #[test]
    fn each_part_of_the_word_leaves_the_others_alone() {
        for state in [State::Closed, State::Open, State::HalfOpen] {
            for held in [false, true] {
                for generation in [0, 1, (1 << 37) - 1] {
                    for failures in [0, 1, Trip::MAX_THRESHOLD] {
                        let word = Word::new(state, held, generation).with_failures(failures);
                        assert_eq!(word.state(), state);
                        assert_eq!(word.is_held(), held);
                        assert_eq!(word.generation(), generation);
                        assert_eq!(word.failures(), failures);
                        assert_eq!(word.with_failures(0).failures(), 0);
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_the_period_wraps() {
        let word = Word::new(State::Open, true, 1 << 37);
        assert_eq!(word, Word::new(State::Open, true, 0));
    }
}
