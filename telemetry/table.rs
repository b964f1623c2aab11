//! The macros that read the tables of the list.

macro_rules! attributes {
    ($($(#[doc = $says:literal])+ $id:ident = $key:literal;)+) => {
        $($(#[doc = $says])+ pub const $id: Attribute = Attribute { key: $key, says: concat!($($says),+) };)+

        /// All, in the order of the list.
        pub const ALL: &[Attribute] = &[$($id),+];
    };
}

macro_rules! events {
    ($($(#[doc = $says:literal])+ $id:ident = $name:literal;)+) => {
        $($(#[doc = $says])+ pub const $id: Event = Event { name: $name, says: concat!($($says),+) };)+

        /// All, in the order of the list.
        pub const ALL: &[Event] = &[$($id),+];
    };
}

macro_rules! logs {
    ($($(#[doc = $says:literal])+ $name:ident = $level:ident $message:literal;)+) => {
        /// All, in the order of names.
        pub static ALL: &[LogEvent] = &[$(LogEvent {
            name: stringify!($name),
            level: LogLevel::$level,
            message: $message,
            says: concat!($($says),+),
        }),+];
    };
}

macro_rules! spans {
    ($($(#[doc = $says:literal])+ $id:ident = $name:literal $kind:ident [$($attribute:ident),* $(,)?] [$($event:ident),* $(,)?];)+) => {
        $($(#[doc = $says])+ pub static $id: SpanName = SpanName {
            name: $name,
            kind: SpanKind::$kind,
            attributes: { const ATTRIBUTES: &[Attribute] = &[$($attribute),*]; ATTRIBUTES },
            events: { const EVENTS: &[Event] = &[$($event),*]; EVENTS },
            says: concat!($($says),+),
        };)+

        /// All, in the order of the list.
        pub const ALL: &[&SpanName] = &[$(&$id),+];
    };
}

macro_rules! metrics {
    ($(
        $(#[doc = $says:literal])+
        $id:ident = $name:literal $kind:ident $(($bounds:ident))? in Unit::$unit:ident $(($what:literal))? { $($label:ident : $attribute:ident),* $(,)? };
    )+) => {
        $(
            $(#[doc = $says])+
            #[derive(Debug, Clone, Copy)]
            pub struct $id { $(pub $label: &'static str),* }

            impl $id {
                pub const METRIC: &'static Metric = {
                    static FAMILY: crate::series::Family = crate::series::Family::new();
                    static METRIC: Metric = Metric {
                        name: $name,
                        kind: Kind::$kind $(($bounds))?,
                        unit: Unit::$unit $(($what))?,
                        labels: &[$($attribute),*],
                        says: concat!($($says),+),
                        family: &FAMILY,
                    };
                    &METRIC
                };

                methods!($kind { $($label),* });
            }
        )+

        /// All, in the order of the list.
        pub static ALL: &[&Metric] = &[$($id::METRIC),+];
    };
}

macro_rules! methods {
    (Counter { $($label:ident),* }) => {
        pub fn add(self, more: u64) {
            Self::METRIC.family.add(Self::METRIC, &[$(self.$label),*], more as f64);
        }

        /// Raises the total, which is counted elsewhere, to this value. It never falls: of two readings at once, the
        /// older one may come last.
        pub fn reach(self, total: f64) {
            Self::METRIC.family.raise(Self::METRIC, &[$(self.$label),*], total);
        }
    };
    (Gauge { $($label:ident),* }) => {
        pub fn set(self, value: f64) {
            Self::METRIC.family.set(Self::METRIC, &[$(self.$label),*], value);
        }

        /// Sets all series at once. Those that are not among them are gone.
        pub fn replace(series: impl IntoIterator<Item = (Self, f64)>) {
            let series = series.into_iter().map(|(own, value)| {
                let Self { $($label),* } = own;
                (Box::<[&'static str]>::from([$($label),*]), value)
            });
            Self::METRIC.family.replace(Self::METRIC, series);
        }
    };
    (Histogram { $($label:ident),* }) => {
        pub fn record(self, value: f64) {
            Self::METRIC.family.record(Self::METRIC, &[$(self.$label),*], value);
        }
    };
}
