use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

static COUNTERS: StateFile = StateFile { name: "counters", version: 2, bytes_max: 1000 };
static OTHERS: StateFile = StateFile { name: "others", version: 2, bytes_max: 1000 };

const LIMIT: Duration = Duration::from_secs(20);

fn place() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/state");
    (dir, path)
}

fn kept(dir: &StateDir, file: &StateFile) -> Option<(u32, String)> {
    dir.read(file).unwrap().map(|kept| (kept.version, String::from_utf8(kept.content).unwrap()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whether this user may write where the mode says that nobody may.
fn is_almighty(dir: &Path) -> bool {
    let sealed = dir.join("sealed");
    fs::create_dir(&sealed).unwrap();
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o500)).unwrap();
    fs::write(sealed.join("x"), "").is_ok()
}

#[test]
fn what_is_kept_is_there_the_next_time_and_for_this_user_only() {
    let (_dir, path) = place();
    let first = StateDir::open(&path).unwrap();
    assert_eq!(kept(&first, &COUNTERS), None);
    for number in 0..50 {
        first.keep(&COUNTERS, format!("number {number}").into_bytes());
    }
    first.keep(&OTHERS, Vec::new());
    drop(first);
    let next = StateDir::open(&path).unwrap();
    assert_eq!(kept(&next, &COUNTERS), Some((2, "number 49".into())));
    assert_eq!(kept(&next, &OTHERS), Some((2, String::new())));
    assert_eq!((mode(&path), mode(&path.join("counters"))), (0o700, 0o600));
    let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn a_directory_is_for_one_process_unless_its_lock_is_handed_over() {
    let (_dir, path) = place();
    let old = StateDir::open(&path).unwrap();
    assert!(matches!(StateDir::open(&path), Err(StateError::InUse(_))));
    let new = StateDir::adopt(&path, old.descriptor().unwrap()).unwrap();
    new.keep(&COUNTERS, b"new".to_vec());
    old.keep(&COUNTERS, b"old".to_vec());
    assert!(old.pause(LIMIT));
    // The new one waited: what it had to say comes last.
    assert_eq!(kept(&new, &COUNTERS), Some((2, "old".into())));
    old.keep(&COUNTERS, b"too late".to_vec());
    drop(old);
    assert_eq!(kept(&new, &COUNTERS), Some((2, "old".into())));
    new.resume();
    assert!(new.settle(LIMIT));
    assert_eq!(kept(&new, &COUNTERS), Some((2, "new".into())));
    assert!(matches!(StateDir::open(&path), Err(StateError::InUse(_))));
    drop(new);
    StateDir::open(&path).unwrap();
}

#[test]
fn memory_is_handed_over_as_a_directory_is() {
    let old = StateDir::in_memory().unwrap();
    assert_eq!((old.path(), kept(&old, &COUNTERS)), (None, None));
    old.keep(&COUNTERS, b"one".to_vec());
    old.keep(&OTHERS, b"other".repeat(100));
    assert!(old.settle(LIMIT));
    let new = StateDir::adopt_memory(old.descriptor().unwrap()).unwrap();
    new.keep(&OTHERS, b"new".to_vec());
    old.keep(&COUNTERS, b"two".to_vec());
    assert!(old.pause(LIMIT));
    drop(old);
    assert_eq!(kept(&new, &COUNTERS), Some((2, "two".into())));
    assert_eq!(kept(&new, &OTHERS), Some((2, "other".repeat(100))));
    new.resume();
    assert!(new.settle(LIMIT));
    assert_eq!(kept(&new, &OTHERS), Some((2, "new".into())));
}

#[test]
fn one_that_paused_for_a_successor_that_did_not_come_goes_on() {
    let (_dir, path) = place();
    let dir = StateDir::open(&path).unwrap();
    assert!(dir.pause(LIMIT));
    dir.keep(&COUNTERS, b"meanwhile".to_vec());
    assert!(!dir.settle(LIMIT) && kept(&dir, &COUNTERS).is_none());
    dir.resume();
    assert!(dir.settle(LIMIT));
    assert_eq!(kept(&dir, &COUNTERS), Some((2, "meanwhile".into())));
}

#[test]
fn a_lock_of_another_directory_is_none_of_this_one() {
    let (_dir, path) = place();
    let (_other_dir, other) = place();
    let other = StateDir::open(&other).unwrap();
    let ours = StateDir::open(&path).unwrap();
    let lock = other.descriptor().unwrap();
    assert!(matches!(StateDir::adopt(&path, lock), Err(StateError::InUse(_))));
    drop(ours);
    StateDir::adopt(&path, other.descriptor().unwrap()).unwrap();
}

#[test]
fn any_flipped_bit_and_any_cut_is_seen_and_put_aside() {
    let (_dir, path) = place();
    let dir = StateDir::open(&path).unwrap();
    let whole = encode(&COUNTERS, b"some content");
    let broken = (0..whole.len()).map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        flipped
    });
    let cut = (0..whole.len()).map(|len| whole[..len].to_vec());
    let long = [whole.clone(), b"more".to_vec()].concat();
    for bytes in broken.chain(cut).chain([long, vec![b' '; 5000]]) {
        fs::write(path.join("counters"), &bytes).unwrap();
        assert_eq!(kept(&dir, &COUNTERS), None, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(fs::read(path.join("counters.damaged")).unwrap(), bytes);
        assert!(!path.join("counters").exists());
    }
    fs::write(path.join("others"), &whole).unwrap();
    assert_eq!(kept(&dir, &OTHERS), None);
}

#[test]
fn a_newer_version_is_told_from_damage_and_an_older_one_is_read() {
    let (_dir, path) = place();
    let dir = StateDir::open(&path).unwrap();
    let of = |version| StateFile { name: "counters", version, bytes_max: 1000 };
    fs::write(path.join("counters"), encode(&of(1), b"old")).unwrap();
    assert_eq!(kept(&dir, &COUNTERS), Some((1, "old".into())));
    fs::write(path.join("counters"), encode(&of(3), b"new")).unwrap();
    let error = dir.read(&COUNTERS).unwrap_err();
    assert!(matches!(error, StateError::Newer(_, 3, 2)) && error.to_string().contains("newer version"), "{error}");
    assert!(path.join("counters").exists());
}

#[test]
fn more_than_a_file_may_have_leaves_what_was_kept() {
    let (_dir, path) = place();
    let dir = StateDir::open(&path).unwrap();
    assert!(dir.keep(&COUNTERS, vec![b'a'; 1000]));
    assert!(dir.settle(LIMIT));
    assert!(!dir.keep(&COUNTERS, vec![b'b'; 1001]), "who waits for it is told");
    assert!(dir.settle(LIMIT));
    assert_eq!(kept(&dir, &COUNTERS), Some((2, "a".repeat(1000))));
}

#[test]
fn what_cannot_be_a_directory_or_not_be_written_to_is_said_so() {
    let (dir, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    assert!(matches!(StateDir::open(&path), Err(StateError::NotADirectory(_))));
    assert!(matches!(StateDir::open(&path.join("below")), Err(StateError::NotADirectory(_))));
    if !is_almighty(dir.path()) {
        let sealed = dir.path().join("sealed");
        assert!(matches!(StateDir::open(&sealed), Err(StateError::Unwritable(..))));
        assert!(matches!(StateDir::open(&sealed.join("state")), Err(StateError::Unwritable(..))));
    }
}

#[test]
fn a_write_that_fails_is_tried_again_with_what_counts_by_then() {
    let (_dir, path) = place();
    let dir = StateDir::open(&path).unwrap();
    // A directory is in the way of the file that is written beside.
    fs::create_dir(path.join("counters.new")).unwrap();
    dir.keep(&COUNTERS, b"one".to_vec());
    let limit = std::time::Instant::now() + LIMIT;
    while dir.trouble().is_none() && std::time::Instant::now() < limit {
        std::thread::yield_now();
    }
    assert!(dir.trouble().is_some());
    dir.keep(&COUNTERS, b"two".to_vec());
    fs::remove_dir(path.join("counters.new")).unwrap();
    assert!(dir.settle(LIMIT));
    assert_eq!((kept(&dir, &COUNTERS), dir.trouble()), (Some((2, "two".into())), None));
}
