//! The recorder that hands on to the `metrics` crate.

mod host;
mod kind;
mod lane;
mod lists;
mod reading;
mod requests;
mod series;
mod table;

use std::sync::Arc;

use metrics::{Key, Metadata, Unit};

pub use series::{SERIES, Series, SeriesKind};

use crate::recorder::{HostLabels, HostRecord, Recorder};
use host::FacadeHost;

/// Hands on to the [`metrics`] crate, under OpenTelemetry's names; from there to Prometheus or
/// whatever exporter is installed.
///
/// Each series is resolved once per host; a request looks nothing up by name and formats nothing.
/// So the exporter has to be installed before the first request: what is resolved without one
/// records nothing for good.
///
/// The bounds of the histograms are set on the exporter, from [`SERIES`]; the crate's page shows how.
///
/// # Clone
///
/// A clone hands on to the same recorder.
#[derive(Clone)]
pub struct MetricsFacade {
    to: To,
}

type Own = Arc<dyn metrics::Recorder + Send + Sync>;

/// None for whatever is installed for the process.
#[derive(Clone)]
struct To(Option<Own>);

impl Default for MetricsFacade {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricsFacade {
    /// Hands on to the recorder that is installed for the process, or for the thread that makes a
    /// host's first request.
    pub fn new() -> Self {
        Self::to(To(None))
    }

    /// Hands on to `recorder`, whatever is installed.
    pub fn with(recorder: impl metrics::Recorder + Send + Sync + 'static) -> Self {
        Self::to(To(Some(Arc::new(recorder))))
    }

    fn to(to: To) -> Self {
        to.run(|recorder| SERIES.iter().for_each(|series| describe(recorder, series)));
        Self { to }
    }
}

impl Recorder for MetricsFacade {
    fn host(&self, host: &HostLabels<'_>) -> Option<Arc<dyn HostRecord>> {
        Some(Arc::new(FacadeHost::new(self.to.clone(), host)))
    }
}

impl std::fmt::Debug for MetricsFacade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsFacade").finish_non_exhaustive()
    }
}

impl To {
    fn run<T>(&self, run: impl FnOnce(&dyn metrics::Recorder) -> T) -> T {
        match &self.0 {
            Some(own) => run(&**own),
            None => metrics::with_recorder(run),
        }
    }

    fn resolve(&self, kind: SeriesKind, key: &Key) -> table::Instrument {
        static METADATA: Metadata<'static> =
            Metadata::new("standpipe", metrics::Level::INFO, Some(module_path!()));
        self.run(|to| match kind {
            SeriesKind::Counter => table::Instrument::Counter(to.register_counter(key, &METADATA)),
            SeriesKind::Gauge => table::Instrument::Gauge(to.register_gauge(key, &METADATA)),
            SeriesKind::Histogram => {
                table::Instrument::Histogram(to.register_histogram(key, &METADATA))
            }
        })
    }
}

fn describe(to: &dyn metrics::Recorder, series: &Series) {
    let unit = match series.unit {
        "s" => Unit::Seconds,
        "By" => Unit::Bytes,
        _ => Unit::Count,
    };
    let (name, unit) = (series.name.into(), Some(unit));
    let description = series.description.into();
    match series.kind {
        SeriesKind::Counter => to.describe_counter(name, unit, description),
        SeriesKind::Gauge => to.describe_gauge(name, unit, description),
        SeriesKind::Histogram => to.describe_histogram(name, unit, description),
    }
}
