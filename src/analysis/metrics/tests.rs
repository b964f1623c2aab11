//! What the metrics come to, case by case.

mod cases;
mod cognitive;
mod grammars;
mod measures;
mod newer;
mod properties;
