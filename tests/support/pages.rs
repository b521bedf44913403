//! A cache with a disk before a scripted origin, in a process whose binary can be replaced.

use super::installed::{install_script, installed};
use super::{Origin, Weir, eventually};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

pub const CACHING: &str = "[server]\nworkers = 2\n\
    [cache.pages]\nmemory = \"16MiB\"\ndisk = { path = \"{disk}\", size = \"32MiB\" }\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";

/// A process with a cache, whose binary can be replaced by something that waits for a gate in the shape of a file.
pub struct Pages {
    pub origin: Origin,
    pub weir: Weir,
    pub binary: PathBuf,
    pub disk: TempDir,
}

impl Pages {
    pub fn start() -> Pages {
        let (origin, disk) = (Origin::start(), tempfile::tempdir().unwrap());
        let path = disk.path().to_str().unwrap();
        let (weir, binary) = installed(CACHING, &[("origin", &origin.address()), ("disk", path)]);
        Pages { origin, weir, binary, disk }
    }

    /// The origin has a page, and it is stored on the disk.
    pub fn stores(&self, page: &str, text: &str) {
        let before = self.origin.count();
        self.origin.replies(200).field("Cache-Control", "max-age=600").field("Cache-Tag", page).body(text);
        self.weir.client().get(&format!("/{page}")).sees(200).body(text);
        assert_eq!(self.origin.count(), before + 1);
    }

    /// What is got of a page without a request to the origin.
    pub fn stored(&self, page: &str) -> String {
        let before = self.origin.count();
        let text = self.weir.client().get(&format!("/{page}")).sees(200).text();
        assert_eq!(self.origin.count(), before, "{page} is not stored");
        text
    }

    /// A page is not stored any more.
    pub fn is_gone(&self, page: &str) {
        let before = self.origin.count();
        self.origin.replies(200).field("Cache-Control", "max-age=600").body("new");
        self.weir.client().get(&format!("/{page}")).sees(200).body("new");
        assert_eq!(self.origin.count(), before + 1);
    }

    pub fn posts(&self, page: &str) {
        self.origin.replies(204);
        self.weir.client().post(&format!("/{page}"), "x").sees(204);
    }

    /// Begins an upgrade to something that waits for the gate, and then does that; the gate, and the length of the log.
    pub fn begins_upgrade(&self, then: &str) -> (PathBuf, usize) {
        let gate = self.weir.path("gate");
        let _ = fs::remove_file(&gate);
        install_script(&format!("while ! test -e {}; do sleep 0.01; done\n{then}", gate.display()), &self.binary);
        let before = self.weir.log.len();
        self.weir.signal("USR2");
        self.weir.log.find(before, "upgrading").unwrap();
        eventually("the directory is left", || on_disk(&self.weir) == 0.0);
        (gate, before)
    }
}

pub fn disk_reads(weir: &Weir) -> f64 {
    weir.metric("weir_cache_disk_reads_total{cache=\"pages\",result=\"ok\"}")
}

pub fn on_disk(weir: &Weir) -> f64 {
    weir.metric("weir_cache_objects{cache=\"pages\",tier=\"disk\"}")
}
