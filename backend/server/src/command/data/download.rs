//! One file over HTTP: bounded, resumed where the server lets us be sure that it is the same file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// How long a server may take to accept a connection, and to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that could not be brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// No answer.
    #[error("{url} cannot be reached: {cause}")]
    Unreachable {
        /// The address.
        url: String,
        /// The system's words.
        cause: String,
    },
    /// An answer that is no file.
    #[error("{url} answers {status}: the file may have moved")]
    Status {
        /// The address.
        url: String,
        /// Number and name of the status.
        status: StatusCode,
    },
    /// More than the bound.
    #[error("{url} sends more than {limit} bytes, which is more than any data set that the lab fetches")]
    TooLarge {
        /// The address.
        url: String,
        /// The bound.
        limit: u64,
    },
    /// The connection ended before the file did.
    #[error(
        "the connection to {url} broke after {got} of {total} bytes ({cause}); what came is kept: run the same command again to continue"
    )]
    Broken {
        /// The address.
        url: String,
        /// Bytes kept.
        got: u64,
        /// Bytes of the file, where known.
        total: String,
        /// The system's words.
        cause: String,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {cause}; make room or name another folder with --home")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
}

/// What to bring and where to.
pub(super) struct Download<'a> {
    /// The address.
    pub(super) url: &'a str,
    /// The unfinished file; a second file beside it remembers which version it is of.
    pub(super) part: &'a Path,
    /// Bytes at most.
    pub(super) limit: u64,
}

impl Download<'_> {
    /// Brings the whole file into `part`. An unfinished one is continued when the server confirms that its file has not
    /// changed since; otherwise it is begun again. `progress` hears bytes done and, where known, bytes in all.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub(super) fn bring(&self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), DownloadError> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .build()
            .into();
        let have = fs::metadata(self.part).map_or(0, |meta| meta.len());
        let version = fs::read_to_string(self.version_file()).ok().filter(|text| have > 0 && !text.is_empty());
        let mut answer = self.ask(&agent, version.as_deref().map(|version| (have, version)))?;
        let continues = answer.status() == StatusCode::PARTIAL_CONTENT && starts_at(&answer) == Some(have);
        if !continues && answer.status() != StatusCode::OK && version.is_some() {
            // The kept part may be longer than the file is now (416), or the range came from another place.
            answer = self.ask(&agent, None)?;
        }
        if !continues && answer.status() != StatusCode::OK {
            return Err(DownloadError::Status { url: self.url.to_owned(), status: answer.status() });
        }
        let start = if continues { have } else { 0 };
        let total = length(&answer).map(|rest| start + rest);
        if total.is_some_and(|total| total > self.limit) {
            return Err(self.too_large());
        }
        let write = |cause| DownloadError::Write { path: self.part.to_owned(), cause };
        if !continues {
            // Forget the old version first: a part without one is never continued.
            let _ = fs::remove_file(self.version_file());
            File::create(self.part).map_err(write)?;
            if let Some(version) = strong_version(&answer) {
                fs::write(self.version_file(), version).map_err(write)?;
            }
        }
        let mut file = OpenOptions::new().append(true).open(self.part).map_err(write)?;
        let mut body = answer.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut got = start;
        loop {
            progress(got, total);
            let cause = match body.read(&mut buffer) {
                Ok(0) if total.is_none_or(|total| got == total) => break,
                Ok(0) => "the server closed it".to_owned(),
                Ok(n) => {
                    got += n as u64;
                    if got > self.limit {
                        return Err(self.too_large());
                    }
                    file.write_all(&buffer[..n]).map_err(write)?;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error.to_string(),
            };
            let total = total.map_or("an unknown number of".to_owned(), |total| total.to_string());
            return Err(DownloadError::Broken { url: self.url.to_owned(), got, total, cause });
        }
        file.sync_all().map_err(write)?;
        let _ = fs::remove_file(self.version_file());
        Ok(())
    }

    fn version_file(&self) -> PathBuf {
        self.part.with_extension("version")
    }

    fn too_large(&self) -> DownloadError {
        let _ = fs::remove_file(self.part);
        let _ = fs::remove_file(self.version_file());
        DownloadError::TooLarge { url: self.url.to_owned(), limit: self.limit }
    }

    fn ask(&self, agent: &Agent, from: Option<(u64, &str)>) -> Result<Response<Body>, DownloadError> {
        // Without `identity` a server may compress the file, and positions would mean something else.
        let mut request = agent.get(self.url).header(header::ACCEPT_ENCODING, "identity");
        if let Some((start, version)) = from {
            request = request.header(header::RANGE, format!("bytes={start}-")).header(header::IF_RANGE, version);
        }
        request
            .call()
            .map_err(|error| DownloadError::Unreachable { url: self.url.to_owned(), cause: error.to_string() })
    }
}

/// What tells this version of the file from any other: a strong ETag. (A modification time may be shared by two.)
fn strong_version(answer: &Response<Body>) -> Option<String> {
    let tag = answer.headers().get(header::ETAG)?.to_str().ok()?;
    tag.starts_with('"').then(|| tag.to_owned())
}

fn length(answer: &Response<Body>) -> Option<u64> {
    answer.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// First position of the range that came.
fn starts_at(answer: &Response<Body>) -> Option<u64> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What the little server does with one request.
    #[derive(Clone, Copy)]
    enum Answer {
        /// The whole file, or the rest of it when asked for a range of this version.
        File { tag: &'static str },
        /// Says the whole length but ends after this many bytes.
        CutAt(usize),
        /// This status.
        Status(&'static str),
        /// Says that the file has this many bytes.
        Huge(u64),
        /// Sends without saying how much.
        Endless,
    }

    const CONTENT: &[u8] = b"user,item,5,100\nuser,other,4,200\nthird,item,1,300\n";

    /// Serves one answer a connection on loopback, in order; gives the address and, at the end, the requests.
    fn serve(answers: Vec<Answer>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ratings.csv", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut request).unwrap() > 2 {}
                let request = request.to_lowercase();
                let all = CONTENT.len();
                let _ = match answer {
                    Answer::File { tag } => {
                        let range = request.lines().find_map(|l| l.strip_prefix("range: bytes="));
                        let same = request.contains(&format!("if-range: \"{tag}\""));
                        match range.and_then(|r| r.trim_end_matches('-').parse::<usize>().ok()).filter(|_| same) {
                            Some(from) => write!(
                                stream,
                                "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nETag: \"{tag}\"\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{all}\r\n\r\n",
                                all - from,
                                all - 1,
                            )
                            .and_then(|()| stream.write_all(&CONTENT[from..])),
                            None => write!(
                                stream,
                                "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"{tag}\"\r\nContent-Length: {all}\r\n\r\n"
                            )
                            .and_then(|()| stream.write_all(CONTENT)),
                        }
                    }
                    Answer::CutAt(at) => write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"v1\"\r\nContent-Length: {all}\r\n\r\n"
                    )
                    .and_then(|()| stream.write_all(&CONTENT[..at])),
                    Answer::Status(status) => {
                        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    }
                    Answer::Huge(bytes) => {
                        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\nx")
                    }
                    Answer::Endless => write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").and_then(|()| {
                        for _ in 0..64 {
                            stream.write_all(&[b'x'; 64])?;
                        }
                        Ok(())
                    }),
                };
                requests.push(request);
            }
            requests
        });
        (url, server)
    }

    fn bring(url: &str, part: &Path) -> Result<(), DownloadError> {
        Download { url, part, limit: 1000 }.bring(&mut |_, _| {})
    }

    #[test]
    fn a_broken_download_is_continued_where_it_broke() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        let (url, server) = serve(vec![Answer::CutAt(20), Answer::File { tag: "v1" }]);
        let message = bring(&url, &part).unwrap_err().to_string();
        assert!(
            message.contains("broke after 20 of 50 bytes") && message.contains("run the same command again"),
            "{message}"
        );
        bring(&url, &part).unwrap();
        assert_eq!(fs::read(&part).unwrap(), CONTENT);
        assert!(server.join().unwrap()[1].contains("range: bytes=20-"));
    }

    #[test]
    fn a_file_that_has_changed_in_between_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        let (url, server) = serve(vec![Answer::CutAt(20), Answer::File { tag: "v2" }]);
        bring(&url, &part).unwrap_err();
        bring(&url, &part).unwrap();
        assert_eq!(fs::read(&part).unwrap(), CONTENT);
        server.join().unwrap();
    }

    #[test]
    fn a_part_of_unknown_version_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        fs::write(&part, "something else").unwrap();
        let (url, server) = serve(vec![Answer::File { tag: "v1" }]);
        bring(&url, &part).unwrap();
        assert_eq!(fs::read(&part).unwrap(), CONTENT);
        assert!(!server.join().unwrap()[0].contains("range:"));
    }

    #[test]
    fn a_range_that_the_server_refuses_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        let answers = vec![Answer::CutAt(20), Answer::Status("416 Range Not Satisfiable"), Answer::File { tag: "v1" }];
        let (url, server) = serve(answers);
        bring(&url, &part).unwrap_err();
        bring(&url, &part).unwrap();
        assert_eq!(fs::read(&part).unwrap(), CONTENT);
        server.join().unwrap();
    }

    #[test]
    fn more_bytes_than_allowed_are_refused_whether_announced_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        let (url, server) = serve(vec![Answer::Huge(1_000_000_000_000), Answer::Endless]);
        for _ in 0..2 {
            let message = bring(&url, &part).unwrap_err().to_string();
            assert!(message.contains("sends more than 1000 bytes"), "{message}");
        }
        assert!(!part.exists());
        server.join().unwrap();
    }

    #[test]
    fn a_missing_page_and_a_closed_port_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("x.part");
        let (url, server) = serve(vec![Answer::Status("404 Not Found")]);
        let message = bring(&url, &part).unwrap_err().to_string();
        assert!(message.contains("answers 404 Not Found: the file may have moved"), "{message}");
        server.join().unwrap();
        let message = bring(&url, &part).unwrap_err().to_string();
        assert!(message.contains("cannot be reached"), "{message}");
    }
}
