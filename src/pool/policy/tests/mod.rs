use super::*;
use crate::config::HashTable;

mod keys;
mod shares;
mod time;
mod views;

/// Backends with nothing but what policies ask for.
struct Yard {
    in_flight: Vec<u32>,
    latency: Vec<u64>,
    refuses: Vec<bool>,
}

impl Yard {
    fn of(count: usize) -> Yard {
        Yard { in_flight: vec![0; count], latency: vec![0; count], refuses: vec![false; count] }
    }
}

impl Look for Yard {
    fn in_flight(&self, at: usize) -> u32 {
        self.in_flight[at]
    }

    fn latency(&self, at: usize) -> u64 {
        self.latency[at]
    }

    fn may(&self, at: usize) -> bool {
        !self.refuses[at]
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("10.0.{}.{}:8080", at / 250, at % 250)).collect()
}

fn table(kind: HashTable, names: &[String], weights: &[u16]) -> Arc<Table> {
    let backends: Vec<_> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
    Arc::new(Table::build(kind, &backends))
}

fn all(weights: &[u16]) -> Vec<(&'static str, Policy)> {
    let names = names(weights.len());
    all_with(&table(HashTable::Ketama, &names, weights), &table(HashTable::Maglev, &names, weights))
}

fn all_with(ketama: &Arc<Table>, maglev: &Arc<Table>) -> Vec<(&'static str, Policy)> {
    vec![
        ("round_robin", Policy::round_robin(1)),
        ("random", Policy::random()),
        ("least_connections", Policy::least_connections(1)),
        ("peak_ewma", Policy::peak_ewma()),
        ("ketama", Policy::hash(Arc::clone(ketama), None)),
        ("maglev", Policy::hash(Arc::clone(maglev), None)),
        ("maglev, bounded", Policy::hash(Arc::clone(maglev), Some(125))),
    ]
}

fn view(weights: &[u16]) -> View {
    View::new(&weights.iter().map(|weight| u32::from(*weight) * 256).collect::<Vec<_>>())
}

fn ask(random: &mut u64) -> Ask {
    Ask { random: next_random(random), hash: None }
}
