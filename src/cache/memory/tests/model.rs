//! Any sequence of steps, against a plain list.

use super::*;
use proptest::prelude::*;

/// What may be done to a tier.
#[derive(Clone, Debug)]
enum Step {
    Insert { key: u64, variant: u8, bytes: usize },
    Find(u64),
    Remove(u64, u8),
    Retain(u64),
    Resize(usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let insert =
        (0..KEYS, 0u8..5, 0usize..9_000).prop_map(|(key, variant, bytes)| Step::Insert { key, variant, bytes });
    prop_oneof![
        20 => insert,
        10 => (0..KEYS).prop_map(Step::Find),
        3 => (0..KEYS, 0u8..5).prop_map(|(key, variant)| Step::Remove(key, variant)),
        1 => (2u64..9).prop_map(Step::Retain),
        1 => (10_000usize..80_000).prop_map(Step::Resize),
        1 => Just(Step::Clear),
    ]
}

/// What a tier must hold: a plain list, newest first, from which goes what the tier says goes.
#[derive(Default)]
struct Model(Vec<Arc<Thing>>);

impl Model {
    fn without(&mut self, gone: &[Arc<Thing>]) {
        for thing in gone {
            let place = self.0.iter().position(|held| Arc::ptr_eq(held, thing));
            self.0.remove(place.expect("what goes was held, and goes once"));
        }
    }

    fn under(&self, key: u64) -> Vec<u64> {
        self.0.iter().filter(|thing| thing.key == key).map(|thing| thing.serial).collect()
    }
}

const VARIANTS_MAX: usize = 3;

/// With their variants, a few times as many as fit.
const KEYS: u64 = 20;

fn take_step(memory: &Memory<Thing>, model: &mut Model, step: &Step, serial: u64) {
    match *step {
        Step::Insert { key, variant, bytes } => {
            let new = thing(key, variant, serial, bytes);
            let inserted = memory.insert(Arc::clone(&new), |old| old.variant == variant);
            assert!(inserted.replaced.iter().all(|old| (old.key, old.variant) == (key, variant)));
            assert!(inserted.dropped.len() <= 1);
            model.without(&inserted.replaced);
            assert!(model.0.iter().all(|old| (old.key, old.variant) != (key, variant)));
            model.without(&inserted.dropped);
            model.without(&inserted.evicted);
            assert_eq!(inserted.refused == Some(Refused::TooLarge), bytes > memory.largest());
            if inserted.is_held() {
                model.0.insert(0, new);
            }
        }
        Step::Find(key) => {
            let found = memory.find(hash(key), |thing| Some(thing.serial));
            assert_eq!(found, model.under(key).first().copied());
        }
        Step::Remove(key, variant) => {
            model.without(&memory.remove(hash(key), |thing| thing.variant == variant));
            assert!(model.0.iter().all(|old| (old.key, old.variant) != (key, variant)));
        }
        Step::Retain(of) => {
            let before = model.0.len();
            model.0.retain(|thing| thing.serial % of != 0);
            assert_eq!(memory.retain(|thing| thing.serial % of != 0), before - model.0.len());
        }
        Step::Resize(capacity) => model.without(&memory.resize(capacity)),
        Step::Clear => assert_eq!(memory.clear(), std::mem::take(&mut model.0).len()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_holds_what_a_plain_list_holds(steps in prop::collection::vec(step(), 1..150)) {
        let (memory, mut model) = (Memory::new(60_000, VARIANTS_MAX), Model::default());
        for (serial, step) in steps.iter().enumerate() {
            take_step(&memory, &mut model, step, serial as u64);
            prop_assert!(memory.bytes() <= memory.capacity());
            prop_assert_eq!(memory.len(), model.0.len());
            prop_assert_eq!(memory.bytes(), model.0.iter().map(|thing| counted(thing.bytes)).sum::<usize>());
            for key in 0..KEYS {
                let held: Vec<_> = memory.variants(hash(key)).iter().map(|thing| thing.serial).collect();
                prop_assert!(held.len() <= VARIANTS_MAX);
                prop_assert_eq!(held, model.under(key));
            }
        }
    }
}
