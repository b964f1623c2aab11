//! The metrics, for Prometheus. Reading them asks no actor, so it works while actors are stuck.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use telemetry::Format;

/// The format with exemplars. Only version 1 of it is written here.
const OPEN_METRICS: &str = "application/openmetrics-text";

pub(super) async fn page(headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).into_iter();
    let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
    let format = format(&accept.join(",").to_ascii_lowercase());
    let content_type = [(header::CONTENT_TYPE, format.content_type())];
    (content_type, telemetry::render(format)).into_response()
}

/// OpenMetrics must be asked for by its name; a wildcard means plain text.
fn format(accept: &str) -> Format {
    let wishes: Vec<Wish<'_>> = accept.split(',').filter_map(wish).collect();
    let weight = |media: &str| {
        let of = wishes.iter().filter(|wish| wish.media == media);
        of.map(|wish| wish.weight).reduce(f32::max)
    };
    let open = weight(OPEN_METRICS).unwrap_or(0.0);
    let plain = weight("text/plain")
        .or_else(|| weight("text/*"))
        .or_else(|| weight("*/*"))
        .unwrap_or(0.0);
    if open > 0.0 && open >= plain {
        return Format::OpenMetrics;
    }
    Format::Prometheus
}

/// One entry of `Accept`.
struct Wish<'a> {
    media: &'a str,
    weight: f32,
}

/// `None`: another version of OpenMetrics.
fn wish(entry: &str) -> Option<Wish<'_>> {
    let (media, parameters) = entry.split_once(';').unwrap_or((entry, ""));
    let mut wish = Wish {
        media: media.trim(),
        weight: 1.0,
    };
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.trim() {
            "q" => wish.weight = value.trim().parse().unwrap_or(0.0),
            "version" if wish.media == OPEN_METRICS && !value.trim().starts_with("1.") => {
                return None;
            }
            _ => {}
        }
    }
    Some(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_sent_to_clients_that_prefer_it() {
        for (accept, open) in [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true,
            ),
            (
                "application/openmetrics-text; version=1.0.0; charset=utf-8; q=0.5, text/plain; q=0.5",
                true,
            ),
            (
                "application/openmetrics-text;q=0.4, text/plain;q=0.5",
                false,
            ),
            ("application/openmetrics-text;q=0.4, */*;q=0.5", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;q=x", false),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/json", false),
        ] {
            let expected = match open {
                true => Format::OpenMetrics,
                false => Format::Prometheus,
            };
            assert_eq!(format(accept), expected, "{accept}");
        }
    }
}
