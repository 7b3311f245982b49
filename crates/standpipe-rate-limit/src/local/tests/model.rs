//! Any schedule of arrivals and cancellations, against a model of fifty lines.

use proptest::prelude::*;

use super::sim::{Fate, MS, Sim, n};
use crate::{Quota, Unit};

/// One bucket as a number of nanounits that drips full, and a plain list of those who wait.
struct Model {
    emission: u64,
    burst: u64,
    /// When the bucket is full again.
    full_at: u64,
    line: Vec<(usize, u64)>,
    admitted: Vec<(usize, u64)>,
}

impl Model {
    fn advance(&mut self, now: u64, to: u64) {
        while let Some(&(index, cost)) = self.line.first() {
            let full_once_taken = self.full_at.max(now) + cost * self.emission;
            let at = full_once_taken
                .saturating_sub(self.burst * self.emission)
                .max(now);
            if at > to {
                return;
            }
            self.full_at = self.full_at.max(at) + cost * self.emission;
            self.admitted.push((index, at));
            self.line.remove(0);
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Arrive(u32),
    Cancel(prop::sample::Index),
    Advance(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1u32..6).prop_map(Op::Arrive),
        2 => any::<prop::sample::Index>().prop_map(Op::Cancel),
        3 => (0u64..40 * MS).prop_map(Op::Advance),
    ]
}

/// In no window is more admitted than the burst and what the window refills.
fn assert_windows(admissions: &[(u64, u64)], emission: u64, burst: u64) {
    for (i, &(begin, _)) in admissions.iter().enumerate() {
        let mut sum = 0;
        for &(at, cost) in &admissions[i..] {
            sum += cost;
            let refilled = (at - begin) / emission;
            assert!(sum <= burst + refilled, "{sum} in {} ns", at - begin);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// RL-01 RL-03 RL-04 CAN-12
    #[test]
    fn any_schedule_is_served_as_the_model_does(
        ops in proptest::collection::vec(op(), 1..120),
        emission in 1u64..8 * MS,
        burst in 5u32..12,
        by_cost in any::<bool>(),
        again in any::<bool>(),
    ) {
        let quota = Quota::per(n(1), std::time::Duration::from_nanos(emission)).unwrap();
        let quota = quota.burst(n(burst));
        let unit = if by_cost { Unit::Cost } else { Unit::Request };
        // The same quota twice takes the way of several quotas, and must make no difference.
        let quotas = vec![(quota, unit); if again { 2 } else { 1 }];
        let mut sim = Sim::new(&quotas);
        let mut model = Model {
            emission,
            burst: burst.into(),
            full_at: 0,
            line: Vec::new(),
            admitted: Vec::new(),
        };
        let mut costs = Vec::new();
        let ops = ops.into_iter().chain([Op::Advance(10_000 * MS)]);
        for op in ops {
            let now = sim.now;
            match op {
                Op::Arrive(cost) => {
                    let units = if by_cost { u64::from(cost) } else { 1 };
                    let index = sim.arrive(cost, u64::MAX);
                    model.line.push((index, units));
                    costs.push(units);
                    model.advance(now, now);
                }
                Op::Cancel(pick) => {
                    let waiting = sim.waiting();
                    if !waiting.is_empty() {
                        let index = waiting[pick.index(waiting.len())];
                        sim.cancel(index);
                        model.line.retain(|&(who, _)| who != index);
                        model.advance(now, now);
                    }
                }
                Op::Advance(time) => {
                    sim.advance(now + time);
                    model.advance(now, now + time);
                }
            }
            prop_assert_eq!(sim.waiting().len(), model.line.len());
        }
        prop_assert!(sim.waiting().is_empty(), "nobody waits for ever");
        let admitted: Vec<_> = sim.order.iter().map(|&who| (who, sim.admitted_at(who))).collect();
        prop_assert!(sim.order.is_sorted(), "out of order: {:?}", sim.order);
        prop_assert_eq!(&admitted, &model.admitted);
        let windows: Vec<_> = admitted.iter().map(|&(who, at)| (at, costs[who])).collect();
        assert_windows(&windows, emission, burst.into());
    }

    /// RL-01: several quotas at once, waiters that give up, pauses and corrections in between.
    #[test]
    fn no_mixture_breaks_a_window_or_the_order(
        ops in proptest::collection::vec((op(), 0u8..12, 1u64..60 * MS), 1..100),
        emissions in (1u64..8 * MS, 1u64..8 * MS),
        burst in 5u32..12,
    ) {
        let of = |emission| {
            let quota = Quota::per(n(1), std::time::Duration::from_nanos(emission)).unwrap();
            quota.burst(n(burst))
        };
        let mut sim = Sim::new(&[(of(emissions.0), Unit::Request), (of(emissions.1), Unit::Cost)]);
        let mut costs = Vec::new();
        for (op, extra, time) in ops {
            match op {
                Op::Arrive(cost) => {
                    costs.push(u64::from(cost));
                    let patient = extra % 3 > 0;
                    let give_up = if patient { u64::MAX } else { sim.now + time };
                    sim.arrive(cost, give_up);
                }
                Op::Cancel(pick) => {
                    let waiting = sim.waiting();
                    if !waiting.is_empty() {
                        sim.cancel(waiting[pick.index(waiting.len())]);
                    }
                }
                Op::Advance(to) => sim.advance(sim.now + to),
            }
            match extra {
                0 => sim.local.pause(sim.now, sim.now + time),
                1 => sim.local.settle(sim.now, (time % 7) as i64),
                _ => {}
            }
            sim.poll_woken();
        }
        sim.advance(sim.now + 100_000 * MS);
        prop_assert!(sim.waiting().is_empty(), "nobody waits for ever");
        prop_assert!(sim.order.is_sorted(), "out of order: {:?}", sim.order);
        prop_assert!(!sim.fates.contains(&Fate::Waiting));
        let at: Vec<_> = sim.order.iter().map(|&who| (who, sim.admitted_at(who))).collect();
        let requests: Vec<_> = at.iter().map(|&(_, at)| (at, 1)).collect();
        assert_windows(&requests, emissions.0, burst.into());
        let units: Vec<_> = at.iter().map(|&(who, at)| (at, costs[who])).collect();
        assert_windows(&units, emissions.1, burst.into());
    }
}
