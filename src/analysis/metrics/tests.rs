//! The values of the metrics, case by case.

mod cases;
mod cognitive;
mod grammars;
mod measures;
mod newer;
mod properties;
