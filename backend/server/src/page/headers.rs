//! Headers that keep the page to itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Who may show the lab inside a page of theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameAncestors(String);

/// A text that names no frame ancestors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` names no pages; write none, self, or addresses such as https://course.example, separated by spaces")]
pub struct FrameAncestorsError {
    given: String,
}

impl std::str::FromStr for FrameAncestors {
    type Err = FrameAncestorsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut sources = Vec::new();
        for word in text.split_ascii_whitespace() {
            match word.trim_matches('\'') {
                "none" => sources.push("'none'".to_owned()),
                "self" => sources.push("'self'".to_owned()),
                address
                    if (address.starts_with("https://") || address.starts_with("http://"))
                        && address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-*[]".contains(&byte)) =>
                {
                    sources.push(address.to_owned());
                }
                _ => return Err(FrameAncestorsError { given: text.to_owned() }),
            }
        }
        if sources.is_empty() {
            Err(FrameAncestorsError { given: text.to_owned() })
        } else {
            Ok(Self(sources.join(" ")))
        }
    }
}

/// The headers of every answer.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    headers: Arc<[(HeaderName, HeaderValue)]>,
}

impl SecurityHeaders {
    /// Headers for a page whose own inline scripts have these hashes.
    pub fn new(inline_scripts: &[String], ancestors: &FrameAncestors) -> Self {
        let ancestors = if ancestors.0.is_empty() { "'self'" } else { ancestors.0.as_str() };
        // 'wasm-unsafe-eval' lets WebAssembly compile and nothing else. Charts set sizes as inline styles, which can
        // run no code.
        let policy = format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {}; style-src 'self' 'unsafe-inline'; \
             img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}",
            inline_scripts.join(" ")
        );
        let mut headers = vec![
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
            (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
            (
                HeaderName::from_static("permissions-policy"),
                HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
            ),
        ];
        // Hashes and checked addresses are plain ASCII.
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.push((header::CONTENT_SECURITY_POLICY, policy));
        }
        Self { headers: headers.into() }
    }
}

/// The layer that sets them.
pub async fn secure(State(security): State<SecurityHeaders>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in security.headers.iter() {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_ancestors_are_addresses_and_nothing_that_ends_the_directive() {
        assert_eq!(
            "self https://moodle.example:8443".parse(),
            Ok(FrameAncestors("'self' https://moodle.example:8443".into()))
        );
        for bad in
            ["", "moodle.example", "https://a.example; script-src *", "javascript:alert(1)", "https://a.example,b"]
        {
            assert!(bad.parse::<FrameAncestors>().is_err(), "{bad}");
        }
    }
}
