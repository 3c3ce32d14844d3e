//! Times the reading of a ratings file; `make bench` runs it.
//!
//! `read_csv FILE [FORMAT] [TIMES]` maps the file, reads it TIMES times (5) and prints one JSON object: all times, and the
//! peak memory against the columns' own size. `read_csv --make FILE [SEED]` writes `beauty-synthetic` as Amazon CSV.

// Mapping a file is unsafe because another process may change it meanwhile; a benchmark's own file does not change.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use recspeed_data::{ReadLimits, generate, read_ratings};
use recspeed_types::builtin;
use recspeed_types::spec::DataFormat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--make") => make(args.get(1).ok_or("--make needs a file")?, args.get(2).map_or(Ok(42), |s| s.parse())?),
        Some(path) => read(path, args.get(1).map_or("amazon-csv", |s| s), args.get(2).map_or(Ok(5), |s| s.parse())?),
        None => Err("usage: read_csv FILE [FORMAT] [TIMES] | read_csv --make FILE [SEED]".into()),
    }
}

fn read(path: &str, format: &str, times: u32) -> Result<(), Box<dyn std::error::Error>> {
    let format = DataFormat::ALL.into_iter().find(|f| f.as_str() == format).ok_or("no such format")?;
    let file = File::open(path)?;
    let mut seconds = Vec::new();
    let mut note = String::new();
    let mut peak = 0;
    // The first reading tells the peak and is not counted among the times.
    for time in 0..=times.max(1) {
        let start = Instant::now();
        // SAFETY: see the head of this file.
        let bytes = unsafe { memmap2::Mmap::map(&file)? };
        let outcome = read_ratings(format, &bytes, ReadLimits::default())?;
        let took = start.elapsed().as_secs_f64();
        let data = &outcome.interactions;
        if time > 0 {
            seconds.push(took);
            continue;
        }
        peak = peak_rss().unwrap_or(0);
        note = format!(
            "{} rows, {} users, {} items; columns and ids {} bytes; peak {:.2} times that (at most 4 asked)",
            data.len(),
            data.n_users(),
            data.n_items(),
            data.column_bytes(),
            peak as f64 / data.column_bytes() as f64
        );
    }
    println!(
        r#"{{"name":"Recspeed, ids encoded","version":"{}","seconds":{seconds:?},"peak_bytes":{peak},"note":"{note}"}}"#,
        env!("CARGO_PKG_VERSION")
    );
    Ok(())
}

/// Largest resident memory of this process so far, mapped files included (Linux).
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

fn make(path: &str, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let data = generate(builtin::find("beauty-synthetic").ok_or("no such data set")?, seed).interactions;
    println!("generated {} rows in {:.2} s", data.len(), start.elapsed().as_secs_f64());
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"UserId,ProductId,Rating,Timestamp\n")?;
    for row in 0..data.len() {
        let (user, item) = (data.users.get(data.user[row]), data.items.get(data.item[row]));
        writeln!(file, "{user},{item},{},{}", data.rating[row], data.timestamp[row])?;
    }
    Ok(file.flush()?)
}
