use weir::cache::disk::identity::Identity;
use weir::cache::disk::record::{Header, Kind};
use weir::cache::disk::segment::{Holds, Item};
use weir::cache::disk::{journal, segment};

/// The seed of the checksums of what is decoded: that of the seeds in the corpus.
const SEED: u64 = 7;

/// Whatever a disk gives back, nothing that reads it panics; what is read stays within the bytes, and is written again
/// as it was.
pub(crate) fn check(data: &[u8]) {
    let size = u32::try_from(data.len()).expect("inputs are small");
    if let Ok(identity) = Identity::decode(data) {
        assert_eq!(Identity::decode(&identity.encode()), Ok(identity));
    }
    if let Some((header, sum)) = Header::decode(data, SEED) {
        assert_eq!(header.encode(SEED).1, sum);
    }
    if let Some(holds) = segment::scan(data, SEED) {
        assert!(holds.end <= size && holds.items.iter().all(|item| item.at + item.len <= holds.end));
        let index = segment::encode_index(&holds, SEED);
        let room = size + index.len() as u32;
        assert_eq!(segment::decode_index(&index, room, SEED), Some(holds));
    }
    if let Some(len) = segment::index_len(data, size, SEED) {
        let holds = segment::decode_index(&data[data.len() - len..], size, SEED);
        assert!(holds.is_none_or(|holds| holds.items.iter().all(|item| item.at + item.len <= size)));
    }
    if let Some(journalled) = journal::decode(data, SEED) {
        let again = journal::encode(journalled.generation, journalled.records.iter().cloned(), SEED).expect("it fits");
        assert_eq!(journal::decode(&again.bytes, SEED), Some(journalled));
    }
    signed(data);
}

/// What no damage makes but a store of another program might: fields of any value under right checksums.
fn signed(data: &[u8]) {
    let Some((numbers, rest)) = data.split_first_chunk::<16>() else { return };
    let number = |at: usize| u32::from_le_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
    let [meta_len, body_len, at, len] = [0, 4, 8, 12].map(number);
    let (head, previous) = segment::encode_head(1, SEED);
    let (kind, hash, variant, born, expires_ms) = (Kind::Stored, 2, 3, 4, 5);
    let (turn, meta_sum, body_sum) = (1, 6, 7);
    let header =
        Header { kind, turn, previous, hash, variant, born, expires_ms, meta_len, body_len, meta_sum, body_sum };
    let bytes = [&head[..], &header.encode(SEED).0, rest].concat();
    assert!(segment::scan(&bytes, SEED).is_some_and(|holds| holds.end as usize <= bytes.len()));
    let item = Item { kind, hash, variant, born, expires_ms, at: at & !15, len };
    let holds = Holds { turn, items: vec![item; rest.len() % 4], end: meta_len, last: previous };
    let index = segment::encode_index(&holds, SEED);
    if let Some(read) = segment::decode_index(&index, body_len, SEED) {
        assert!(read == holds && read.end <= body_len);
        assert!(read.items.iter().all(|item| u64::from(item.at) + u64::from(item.len) <= u64::from(read.end)));
    }
}
