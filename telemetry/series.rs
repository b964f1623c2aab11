//! The values of one metric: a series for each combination of label values.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::define::{Kind, Metric};
use crate::{Trace, current, span};

/// Most series of one metric: more than any metric of the list has, tools and methods included.
const MAX_SERIES: usize = 1000;
/// The label value of series beyond the limit.
const OTHER: &str = "_OTHER";

#[derive(Debug)]
pub(crate) struct Family(RwLock<BTreeMap<Box<[&'static str]>, Arc<Cell>>>);

#[derive(Debug)]
pub(crate) struct Cell {
    /// Bits of an `f64`: the value, or the sum of a histogram.
    value: AtomicU64,
    /// Values up to each bound, and above the last.
    counts: Box<[AtomicU64]>,
    exemplars: Mutex<Box<[Option<Exemplar>]>>,
}

/// A measured value, and the trace it was measured in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    pub trace: Trace,
    pub value: f64,
    pub at: SystemTime,
}

/// One series, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// In the order of the metric's labels.
    pub labels: Box<[&'static str]>,
    pub shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Number(f64),
    Histogram {
        sum: f64,
        /// By bucket, not added up; the last is above all bounds.
        counts: Vec<u64>,
        exemplars: Vec<Option<Exemplar>>,
    },
}

impl Family {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    pub(crate) fn add(&self, metric: &'static Metric, labels: &[&'static str], more: f64) {
        self.cell(metric, labels).change(|value| value + more);
    }

    pub(crate) fn set(&self, metric: &'static Metric, labels: &[&'static str], value: f64) {
        self.cell(metric, labels).change(|_| value);
    }

    pub(crate) fn record(&self, metric: &'static Metric, labels: &[&'static str], value: f64) {
        let Kind::Histogram(bounds) = metric.kind else {
            return;
        };
        let cell = self.cell(metric, labels);
        let bucket = bounds.partition_point(|bound| *bound < value);
        cell.counts[bucket].fetch_add(1, Ordering::Relaxed);
        cell.change(|sum| sum + value);
        if let Some(trace) = current().filter(|trace| trace.sampled) {
            // An exemplar is one of many: if another thread writes one now, that will do.
            if let Ok(mut exemplars) = cell.exemplars.try_lock() {
                exemplars[bucket] = Some(Exemplar {
                    trace,
                    value,
                    at: SystemTime::now(),
                });
            }
        }
        span::measured(metric, labels, value);
    }

    pub(crate) fn raise(&self, metric: &'static Metric, labels: &[&'static str], total: f64) {
        self.cell(metric, labels).change(|value| value.max(total));
    }

    /// A reader sees either all old series or all new ones.
    pub(crate) fn replace(
        &self,
        metric: &'static Metric,
        series: impl Iterator<Item = (Box<[&'static str]>, f64)>,
    ) {
        let cell = |(labels, value)| {
            let cell = Cell::new(metric.kind);
            cell.change(|_| value);
            (labels, cell)
        };
        let new = series.take(MAX_SERIES).map(cell).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    pub(crate) fn series(&self) -> Vec<Series> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(labels, cell)| Series {
                labels: labels.clone(),
                shape: cell.shape(),
            })
            .collect()
    }

    fn cell(&self, metric: &'static Metric, labels: &[&'static str]) -> Arc<Cell> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = all.get(labels) {
            return Arc::clone(cell);
        }
        drop(all);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let labels: Box<[_]> = if all.len() < MAX_SERIES {
            labels.into()
        } else {
            labels.iter().map(|_| OTHER).collect()
        };
        let cell = all.entry(labels).or_insert_with(|| Cell::new(metric.kind));
        Arc::clone(cell)
    }
}

impl Cell {
    fn new(kind: Kind) -> Arc<Self> {
        let buckets = match kind {
            Kind::Histogram(bounds) => bounds.len() + 1,
            Kind::Counter | Kind::Gauge => 0,
        };
        Arc::new(Self {
            value: AtomicU64::new(0f64.to_bits()),
            counts: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            exemplars: Mutex::new(vec![None; buckets].into()),
        })
    }

    fn change(&self, to: impl Fn(f64) -> f64) {
        // The function always returns a value, so this never fails.
        let _ = self
            .value
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
                Some(to(f64::from_bits(bits)).to_bits())
            });
    }

    fn shape(&self) -> Shape {
        let value = f64::from_bits(self.value.load(Ordering::Relaxed));
        if self.counts.is_empty() {
            return Shape::Number(value);
        }
        let exemplars = self
            .exemplars
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Shape::Histogram {
            sum: value,
            counts: self
                .counts
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect(),
            exemplars: exemplars.to_vec(),
        }
    }
}
