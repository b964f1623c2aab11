//! All metrics, and the code that brings values up to date which are kept elsewhere.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::define::Metric;
use crate::list;
use crate::series::Series;

type Collector = dyn Fn() + Send + Sync;

static COLLECTORS: Mutex<Vec<Weak<Collector>>> = Mutex::new(Vec::new());

/// Calls `collector` before each reading, as long as the returned value lives.
#[must_use = "the collector is forgotten when this is dropped"]
pub fn collect_with(collector: impl Fn() + Send + Sync + 'static) -> Arc<Collector> {
    let collector: Arc<Collector> = Arc::new(collector);
    let mut all = COLLECTORS.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|known| known.strong_count() > 0);
    all.push(Arc::downgrade(&collector));
    collector
}

/// Brings the values up to date that are kept elsewhere.
pub fn collect() {
    let all = COLLECTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let living: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
    drop(all);
    for collector in living {
        collector();
    }
}

/// The series of a metric, as they are now.
pub fn series(metric: &Metric) -> Vec<Series> {
    metric.family.series()
}

/// All metrics, in the order of the list.
pub(crate) fn all() -> &'static [&'static Metric] {
    list::METRICS
}
