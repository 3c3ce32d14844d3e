//! The owner's token and the key that signs cookies.

use std::io;

use axum_extra::extract::cookie::Key;
use sha2::{Digest, Sha256};

use crate::home::{Home, HomeError};
use crate::launch::hex;

/// Bytes of the token: 256 bits, so guessing it is no attack.
const TOKEN_BYTES: usize = 32;
/// Bytes of the cookie key.
const KEY_BYTES: usize = 64;

/// The server's secrets.
pub struct Secrets {
    pub(super) token: String,
    pub(super) key: Key,
    /// Browsers send the cookies of every port of a host: labs on one machine must not overwrite each other's.
    pub(super) cookie_name: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Reads the secrets of a home, or makes them at first use.
    ///
    /// # Errors
    /// [`HomeError`] when they can be neither read nor made.
    pub fn of(home: &Home) -> Result<Self, HomeError> {
        let token = home.secret("token", || random_hex(TOKEN_BYTES).map(String::into_bytes))?;
        let key = home.secret("cookie-key", || random(KEY_BYTES))?;
        Ok(Self::from_parts(&String::from_utf8_lossy(&token), &key))
    }

    /// Secrets from their parts; a key of any length is stretched to what signing needs. The token is part of the key:
    /// whoever replaces the token signs everybody out.
    pub fn from_parts(token: &str, key: &[u8]) -> Self {
        let token = token.trim();
        let part = |number: &[u8]| Sha256::digest([number, Sha256::digest(token).as_slice(), key].concat());
        let stretched = [part(b"1"), part(b"2")].concat();
        let name = hex(Sha256::digest([b"3", key].concat()).get(..4).unwrap_or_default());
        Self { token: token.to_owned(), key: Key::from(&stretched), cookie_name: format!("recspeed-{name}") }
    }

    /// Compares in a time that says nothing about how much of `given` is right: digests are compared, and nobody can
    /// choose those byte by byte.
    pub(super) fn is_token(&self, given: &str) -> bool {
        !self.token.is_empty() && Sha256::digest(given) == Sha256::digest(&self.token)
    }
}

fn random(count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Random bytes as hexadecimal digits.
pub(super) fn random_hex(count: usize) -> io::Result<String> {
    Ok(hex(&random(count)?))
}
