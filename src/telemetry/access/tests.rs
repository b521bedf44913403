use super::*;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

fn metrics() -> Arc<Metrics> {
    Metrics::new(NonZeroUsize::MIN)
}

fn to_file(path: &Path, format: AccessFormat) -> config::AccessLog {
    config::AccessLog { format, to: Destination::File(path.to_owned()) }
}

fn status() -> AccessFormat {
    AccessFormat::Template("{status}".into())
}

fn with_status(status: u16) -> Record<'static> {
    Record { status, ..Record::example() }
}

/// Waits for what the writer thread does.
fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain");
        thread::yield_now();
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn all_lines_of_all_workers_are_written_by_the_time_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let (metrics, config) = (metrics(), to_file(&path, AccessFormat::Json));
    let log = AccessLog::open(&config, Arc::clone(&metrics)).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let mut worker = log.worker();
            thread::spawn(move || (0..1000).for_each(|_| worker.log(&Record::example())))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(log.close());
    assert_eq!(lines(&path).len() as u64 + metrics.access_log_lines_dropped(), 3000);
    assert_eq!(metrics.access_log_lines_dropped(), 0);
    assert!(lines(&path).iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let log = AccessLog::open(&to_file(&path, status()), metrics()).unwrap();
    let mut worker = log.worker();
    worker.log(&with_status(200));
    worker.flush();
    until(|| lines(&path).len() == 1);
    std::fs::rename(&path, &moved).unwrap();
    log.reopen().unwrap();
    worker.log(&with_status(404));
    drop(worker);
    assert!(log.close());
    assert_eq!((lines(&moved), lines(&path)), (vec!["200".to_owned()], vec!["404".to_owned()]));
}

#[test]
fn a_reload_changes_format_and_destination_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let off = config::AccessLog { format: AccessFormat::Json, to: Destination::Off };
    let log = AccessLog::open(&off, metrics()).unwrap();
    let mut worker = log.worker();
    assert!(!worker.is_on());
    worker.log(&with_status(200));
    log.apply(&to_file(&path, status())).unwrap();
    assert!(worker.is_on());
    let missing = dir.path().join("no/such/folder");
    assert!(matches!(log.apply(&to_file(&missing, status())), Err(AccessError::Open(at, _)) if at == missing));
    assert!(matches!(
        log.apply(&to_file(&path, AccessFormat::Template("{nothing}".into()))),
        Err(AccessError::Template(_))
    ));
    worker.log(&with_status(404));
    drop(worker);
    assert!(log.close());
    assert_eq!(lines(&path), ["404"]);
}

#[test]
fn a_full_device_is_counted_and_stops_nobody() {
    let metrics = metrics();
    let log = AccessLog::open(&to_file(Path::new("/dev/full"), status()), Arc::clone(&metrics)).unwrap();
    let mut worker = log.worker();
    for _ in 0..5 {
        worker.log(&with_status(200));
    }
    drop(worker);
    assert!(log.close());
    assert_eq!(metrics.access_log_lines_dropped(), 5);
}

#[test]
fn a_reader_that_stands_still_costs_lines_not_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    // Both ends are held, and nothing is read: the pipe fills up and the writer thread waits in write(2).
    let pipe = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let metrics = metrics();
    let log = AccessLog::open(&to_file(&path, AccessFormat::Json), Arc::clone(&metrics)).unwrap();
    let mut worker = log.worker();
    let enough = (QUEUE_BATCHES + 10) * BUFFER_BYTES / 100;
    for _ in 0..enough {
        worker.log(&Record::example());
    }
    assert!(metrics.access_log_lines_dropped() > 0);
    drop((worker, pipe));
    // Without a reader the write fails, and the thread ends.
    assert!(log.close());
}

#[test]
fn after_the_close_lines_are_counted_as_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = metrics();
    let log = AccessLog::open(&to_file(&dir.path().join("a"), status()), Arc::clone(&metrics)).unwrap();
    assert!(log.close());
    let mut late = log.worker();
    late.log(&with_status(200));
    drop(late);
    assert_eq!(metrics.access_log_lines_dropped(), 1);
}
