//! Raw requests, a table a rule (RFC 9112, and how parsers were found to differ on it).

mod chunks;
mod connection;
mod fields;
mod framing;
mod host;
mod lines;

use super::judge::judge;

#[test]
fn how_a_message_is_framed_is_never_in_doubt() {
    judge(&framing::cases());
}

#[test]
fn chunks_are_read_to_the_letter() {
    judge(&chunks::cases());
}

#[test]
fn a_request_line_is_three_parts_and_its_target_one_of_four_forms() {
    judge(&lines::cases());
}

#[test]
fn field_lines_hold_what_they_may_and_no_more() {
    judge(&fields::cases());
}

#[test]
fn there_is_one_host_and_everybody_reads_it_alike() {
    judge(&host::cases());
}

#[test]
fn connections_go_on_or_end_but_never_slip() {
    judge(&connection::cases());
}

#[test]
fn the_corpus_is_as_large_as_it_says() {
    let all = [framing::cases(), chunks::cases(), lines::cases(), fields::cases(), host::cases(), connection::cases()];
    let count: usize = all.iter().map(Vec::len).sum();
    assert!(count >= 250, "{count}");
}
