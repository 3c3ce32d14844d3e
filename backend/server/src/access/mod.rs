//! Who is asking, and from where.
//!
//! The owner's token comes once in the address that the server prints, and becomes a signed cookie; programs send it
//! as `Authorization: Bearer`. Everybody else is a guest, who may read what a link names.

mod guard;
mod places;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, SameSite, SignedCookieJar};
use recspeed_types::api::Role;

use crate::api::ApiError;
use crate::clock::now_ms;

pub use guard::{Hosts, check_host, check_origin};
pub use places::Places;
pub use secrets::Secrets;

/// How long a browser stays the owner's.
const COOKIE_LASTS: Duration = Duration::from_hours(90 * 24);
/// Who a program with the owner's token is, for the fair queue.
const BEARER: &str = "bearer";

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// What they may do.
    pub role: Role,
    /// Who they are to the fair queue: one person a browser.
    pub person: String,
}

impl Visitor {
    /// Refuses guests.
    ///
    /// # Errors
    /// 401 with the remedy.
    pub fn must_own(&self) -> Result<(), ApiError> {
        match self.role {
            Role::Owner => Ok(()),
            Role::Guest => Err(ApiError::sign_in()),
        }
    }
}

/// What the access layer knows.
#[derive(Debug, Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    secrets: Secrets,
    hosts: Hosts,
}

impl Access {
    /// Access by these secrets, under these names.
    pub fn new(secrets: Secrets, hosts: Hosts) -> Self {
        Self { inner: Arc::new(Inner { secrets, hosts }) }
    }

    /// The owner's token.
    pub fn token(&self) -> &str {
        &self.inner.secrets.token
    }

    /// Who sends these headers.
    pub fn visitor(&self, headers: &HeaderMap) -> Visitor {
        let secrets = &self.inner.secrets;
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if bearer.is_some_and(|given| secrets.is_token(given.trim())) {
            return Visitor { role: Role::Owner, person: BEARER.into() };
        }
        let jar = SignedCookieJar::from_headers(headers, secrets.key.clone());
        match jar.get(&secrets.cookie_name).and_then(|cookie| owner_of(cookie.value(), now_ms())) {
            Some(person) => Visitor { role: Role::Owner, person },
            None => Visitor { role: Role::Guest, person: String::new() },
        }
    }

    /// Turns the owner's token in an address into a cookie, and takes it out of the address.
    fn sign_in(&self, uri: &Uri, given: &str) -> Result<Response, ApiError> {
        let secrets = &self.inner.secrets;
        if !secrets.is_token(given) {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "wrong-token",
                "The token in this link is not the owner's.",
            )
            .remedy("Copy the whole link that `recspeed serve` printed when it started."));
        }
        let person = secrets::random_hex(8).map_err(|error| ApiError::internal(&error))?;
        let mut cookie = Cookie::build((secrets.cookie_name.clone(), format!("owner.{person}.{}", now_ms())))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax);
        if let Ok(lasts) = COOKIE_LASTS.try_into() {
            cookie = cookie.max_age(lasts);
        }
        let jar = SignedCookieJar::new(secrets.key.clone()).add(cookie);
        let there = without_token(uri);
        // The address with the token is not kept anywhere: not cached, not sent on as a referrer.
        Ok((StatusCode::SEE_OTHER, jar, [(header::LOCATION, there), (header::CACHE_CONTROL, "no-store".into())])
            .into_response())
    }
}

/// The person in a cookie's signed value, `owner.PERSON.ISSUED_MS`; `None` when it is not an owner's, or has run out.
fn owner_of(value: &str, now_ms: i64) -> Option<String> {
    let (person, issued) = value.strip_prefix("owner.")?.split_once('.')?;
    let age_ms = now_ms - issued.parse::<i64>().ok()?;
    (age_ms < COOKIE_LASTS.as_millis() as i64).then(|| person.to_owned())
}

/// Whether whoever asks is a person with a browser.
fn takes_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|types| types.contains("text/html"))
}

fn without_token(uri: &Uri) -> String {
    let rest: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("token="))
        .collect();
    let path = uri.path();
    // `//host` would leave this server, and browsers read a backslash as a slash.
    let leaves = path.starts_with("//") || path.contains('\\');
    let path = if leaves { "/" } else { path };
    if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) }
}

/// The layer in front of everything: checks host and origin, signs in, and says who is asking.
///
/// # Errors
/// 403 for a foreign host or origin; 401 for a wrong token.
pub async fn layer(State(access): State<Access>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    check_host(&access.inner.hosts, request.headers())?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads {
        check_origin(request.headers())?;
    }
    if reads && !request.uri().path().starts_with("/api/") {
        let token = request.uri().query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("token="));
        if let Some(token) = token {
            return match access.sign_in(request.uri(), token) {
                Err(refusal) if takes_html(request.headers()) => Ok(refusal.into_page()),
                answer => answer,
            };
        }
    }
    let visitor = access.visitor(request.headers());
    request.extensions_mut().insert(visitor);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_runs_out_and_does_not_outlive_its_token() {
        let day = 24 * 3_600_000;
        assert_eq!(owner_of("owner.abc.1000", 1000 + 89 * day), Some("abc".to_owned()));
        assert_eq!(owner_of("owner.abc.1000", 1000 + 90 * day), None);
        for other in ["owner.abc", "owner.abc.x", "guest.abc.1000"] {
            assert_eq!(owner_of(other, 1000), None, "{other}");
        }
        let cookie = Cookie::new("c", "owner.abc.1");
        let signed = SignedCookieJar::new(Secrets::from_parts("old", b"key").key).add(cookie).into_response();
        let sent = signed.headers()[header::SET_COOKIE].clone();
        let headers = HeaderMap::from_iter([(header::COOKIE, sent)]);
        let is_read = |token: &str| {
            SignedCookieJar::from_headers(&headers, Secrets::from_parts(token, b"key").key).get("c").is_some()
        };
        assert!(is_read("old") && !is_read("new"), "a new token signs everybody out");
    }

    #[test]
    fn the_token_leaves_the_address_and_the_rest_stays() {
        for (given, there) in [
            ("/?token=x", "/"),
            ("/r/abc?embed=1&token=x&hide=a", "/r/abc?embed=1&hide=a"),
            ("//evil.example/?token=x", "/"),
        ] {
            assert_eq!(without_token(&given.parse().unwrap()), there);
        }
    }
}
