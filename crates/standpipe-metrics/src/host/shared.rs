use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use standpipe_core::Origin;
use standpipe_core::sync::atomic::Ordering;

use crate::count::{Cells, Connections, Rare, slot};
use crate::recorder::{Event, HostLabels, HostRecord};
use crate::settings::Settings;

/// A host's counters and its part of the recorder.
///
/// A host begins with one set of counters, which all threads write. Once it has proved busy, each
/// thread is given a set of its own, which no other writes. What is seldom needed is made when it is.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    /// None for all hosts over the bound together.
    pub(crate) origin: Option<Origin>,
    record: OnceLock<Option<Arc<dyn HostRecord>>>,
    common: Cells,
    of_threads: OnceLock<Box<[OnceLock<Arc<Cells>>; slot::SLOTS]>>,
    connections: OnceLock<Box<Connections>>,
    rare: OnceLock<Box<Rare>>,
}

impl Shared {
    pub(crate) fn new(settings: Arc<Settings>, origin: Option<Origin>) -> Self {
        Self {
            settings,
            origin,
            record: OnceLock::new(),
            common: Cells::new(),
            of_threads: OnceLock::new(),
            connections: OnceLock::new(),
            rare: OnceLock::new(),
        }
    }

    /// The counters to write, and whether this thread alone writes them.
    pub(crate) fn cells(&self) -> (&Cells, bool) {
        let own = slot::current().and_then(|slot| self.cells_of_thread(slot));
        match own {
            Some(own) => (own, true),
            None => (&self.common, false),
        }
    }

    /// The counters of the thread that has `slot`; none while the host is not busy.
    pub(crate) fn cells_of_thread(&self, slot: usize) -> Option<&Arc<Cells>> {
        let threads = self.of_threads.get()?;
        Some(threads[slot].get_or_init(|| Arc::new(Cells::new())))
    }

    /// The host is busy: from now on each thread counts for itself.
    #[cold]
    pub(crate) fn part_threads(&self) {
        self.of_threads.get_or_init(Box::default);
    }

    /// All sets of counters there are now. One that was visited is visited by every later call.
    pub(crate) fn all_cells(&self) -> impl Iterator<Item = &Cells> {
        let own = self.of_threads.get().into_iter().flat_map(|own| own.iter());
        let own = own.filter_map(|cells| cells.get().map(|cells| &**cells));
        std::iter::once(&self.common).chain(own)
    }

    pub(crate) fn connections(&self) -> &Connections {
        self.connections
            .get_or_init(|| Box::new(Connections::new()))
    }

    pub(crate) fn rare(&self) -> &Rare {
        self.rare.get_or_init(|| Box::new(Rare::new()))
    }

    pub(crate) fn connections_if_any(&self) -> Option<&Connections> {
        self.connections.get().map(|connections| &**connections)
    }

    pub(crate) fn rare_if_any(&self) -> Option<&Rare> {
        self.rare.get().map(|rare| &**rare)
    }

    pub(crate) fn labels(&self) -> HostLabels<'_> {
        HostLabels {
            origin: self.origin.as_ref(),
        }
    }

    /// Tells the recorder. What `event` is about has been counted.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.tell_with(|record| record.record(event));
    }

    /// As [`tell`](Shared::tell), for events that are made only if there is a recorder.
    #[inline]
    pub(crate) fn tell_with(&self, tell: impl FnOnce(&dyn HostRecord)) {
        let record = match self.record.get() {
            Some(record) => record.as_ref(),
            None => self.ask_recorder(),
        };
        if let Some(record) = record {
            self.guarded(|| tell(&**record));
        }
    }

    /// The recorder's code runs outside of the cell's initialisation, so that it may come back here.
    #[cold]
    fn ask_recorder(&self) -> Option<&Arc<dyn HostRecord>> {
        let labels = self.labels();
        let record = self.guarded(|| self.settings.recorder.host(&labels));
        let _ = self.record.set(record.flatten());
        self.record.get()?.as_ref()
    }

    #[inline]
    fn guarded<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            let panics = &self.settings.recorder_panics;
            panics.fetch_add(1, Ordering::Relaxed);
        }
        result.ok()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("address", &self.labels().address())
            .finish_non_exhaustive()
    }
}
