use crate::admin::Job;

/// Which job is done now and which next: one at a time, and those of a kind that come meanwhile are merged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Agenda {
    running: Option<Job>,
    reload_waits: bool,
    upgrade_waits: bool,
}

/// What becomes of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is to be started.
    Now,
    /// It will be done after what runs, with others of its kind.
    Later,
    /// An upgrade is under way, and one is enough.
    Never,
}

impl Agenda {
    /// Somebody wants `job`.
    pub(super) fn ask(&mut self, job: Job) -> Turn {
        match (self.running, job) {
            (None, job) => {
                self.running = Some(job);
                Turn::Now
            }
            (Some(_), Job::Reload) => {
                // What runs may have read the file already.
                self.reload_waits = true;
                Turn::Later
            }
            (Some(Job::Reload), Job::Upgrade) if !self.upgrade_waits => {
                self.upgrade_waits = true;
                Turn::Later
            }
            (Some(_), Job::Upgrade) => Turn::Never,
        }
    }

    /// What ran has ended; what is to be started now.
    pub(super) fn done(&mut self) -> Option<Job> {
        self.running = if std::mem::take(&mut self.upgrade_waits) {
            Some(Job::Upgrade)
        } else if std::mem::take(&mut self.reload_waits) {
            Some(Job::Reload)
        } else {
            None
        };
        self.running
    }

    /// An upgrade runs or comes next.
    pub(super) fn upgrades(&self) -> bool {
        self.upgrade_waits || self.running == Some(Job::Upgrade)
    }

    /// A reload comes after what runs.
    pub(super) fn reload_waits(&self) -> bool {
        self.reload_waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reload_during_another_comes_after_it_however_often_it_is_asked_for() {
        let mut agenda = Agenda::default();
        assert_eq!(agenda.ask(Job::Reload), Turn::Now);
        for _ in 0..1000 {
            assert_eq!(agenda.ask(Job::Reload), Turn::Later);
        }
        assert_eq!((agenda.done(), agenda.done()), (Some(Job::Reload), None));
    }

    #[test]
    fn an_upgrade_goes_before_reloads_and_is_asked_for_once() {
        let mut agenda = Agenda::default();
        assert_eq!(agenda.ask(Job::Reload), Turn::Now);
        assert_eq!((agenda.ask(Job::Reload), agenda.ask(Job::Upgrade)), (Turn::Later, Turn::Later));
        assert_eq!(agenda.ask(Job::Upgrade), Turn::Never);
        assert_eq!(agenda.done(), Some(Job::Upgrade));
        assert_eq!(agenda.ask(Job::Upgrade), Turn::Never);
        assert!(agenda.upgrades() && agenda.reload_waits());
        assert_eq!((agenda.done(), agenda.done()), (Some(Job::Reload), None));
        assert_eq!(agenda.ask(Job::Upgrade), Turn::Now);
    }

    proptest! {
        /// Some(job): it is asked for; None: what runs has ended.
        #[test]
        fn every_wish_is_followed_by_its_job_or_refused(events in prop::collection::vec(prop::option::of(any::<bool>()), 0..60)) {
            let mut agenda = Agenda::default();
            let mut running = None;
            let mut wanted: Vec<Job> = Vec::new();
            for event in events {
                match event.map(|is_reload| if is_reload { Job::Reload } else { Job::Upgrade }) {
                    Some(job) => match agenda.ask(job) {
                        Turn::Now => {
                            prop_assert_eq!(running, None);
                            running = Some(job);
                        }
                        Turn::Later => wanted.push(job),
                        Turn::Never => {
                            prop_assert!(running == Some(Job::Upgrade) || wanted.contains(&Job::Upgrade));
                        }
                    },
                    None if running.is_some() => {
                        running = agenda.done();
                        wanted.retain(|job| running != Some(*job));
                    }
                    None => {}
                }
            }
            while running.is_some() {
                running = agenda.done();
                wanted.retain(|job| running != Some(*job));
            }
            prop_assert!(wanted.is_empty());
        }
    }
}
