//! What is set, as the query of an address and back: only what differs from the first picture.

use super::model::MAX_LAYERS;
use super::setup::{
    Cut, LINKS, MAX_BATCH, MAX_CHUNKS, MAX_MICRO_BATCHES, MAX_RANKS, MAX_REPLICAS, MODELS_AND_OWN, Named, OFFLOADS,
    OPTIMIZERS, RECOMPUTES, SCHEDULES, Setup, ZEROS,
};

type Choice = (&'static str, &'static [Named], fn(&mut Setup) -> &mut &'static str);
type Number = (&'static str, usize, usize, fn(&mut Setup) -> &mut usize);

const CHOICES: &[Choice] = &[
    ("model", MODELS_AND_OWN, |setup| &mut setup.model),
    ("schedule", SCHEDULES, |setup| &mut setup.schedule),
    ("recompute", RECOMPUTES, |setup| &mut setup.recompute),
    ("zero", ZEROS, |setup| &mut setup.zero),
    ("optimizer", OPTIMIZERS, |setup| &mut setup.optimizer),
    ("offload", OFFLOADS, |setup| &mut setup.offload),
    ("link", LINKS, |setup| &mut setup.link),
];

/// Name, smallest and largest value.
const NUMBERS: &[Number] = &[
    ("depth", 1, MAX_LAYERS - 1, |setup| &mut setup.depth),
    ("width", 1, 8192, |setup| &mut setup.width),
    ("batch", 1, MAX_BATCH, |setup| &mut setup.batch),
    ("ranks", 1, MAX_RANKS, |setup| &mut setup.ranks),
    ("micro-batches", 1, MAX_MICRO_BATCHES, |setup| &mut setup.micro_batches),
    ("chunks", 1, MAX_CHUNKS, |setup| &mut setup.chunks),
    ("replicas", 1, MAX_REPLICAS, |setup| &mut setup.replicas),
    ("gflops", 1, 10_000_000, |setup| &mut setup.gflops),
    ("room", 0, 1 << 24, |setup| &mut setup.room),
];

impl Setup {
    /// The smallest and largest value of a number, by its name in the address.
    pub(crate) fn bounds(name: &str) -> (usize, usize) {
        NUMBERS.iter().find(|number| number.0 == name).map_or((0, usize::MAX), |number| (number.1, number.2))
    }

    /// Whether each number can be set.
    pub(super) fn is_within_bounds(&self) -> bool {
        let mut own = self.clone();
        NUMBERS.iter().all(|(_, least, most, field)| (*least..=*most).contains(field(&mut own)))
    }

    /// A number by its name in the address.
    pub(crate) fn number(&self, name: &str) -> usize {
        NUMBERS.iter().find(|number| number.0 == name).map_or(0, |number| *number.3(&mut self.clone()))
    }

    /// A choice by its name in the address.
    pub(crate) fn choice(&self, name: &str) -> &'static str {
        CHOICES.iter().find(|choice| choice.0 == name).map_or("", |choice| *choice.2(&mut self.clone()))
    }

    /// Sets a number by its name in the address, within its bounds.
    pub(crate) fn set_number(&mut self, name: &str, value: usize) {
        let Some((_, least, most, field)) = NUMBERS.iter().find(|number| number.0 == name) else { return };
        let value = value.clamp(*least, *most);
        match name {
            "ranks" | "chunks" => self.reshape(|setup| *field(setup) = value),
            "depth" | "width" => self.choose_model(|setup| *field(setup) = value),
            _ => *field(self) = value,
        }
    }

    /// Sets a choice by its name in the address; what there is not is left alone.
    pub(crate) fn set_choice(&mut self, name: &str, value: &str) {
        let Some((_, names, field)) = CHOICES.iter().find(|choice| choice.0 == name) else { return };
        let Some((value, _)) = names.iter().find(|known| known.0 == value) else { return };
        match name {
            "schedule" => self.choose_schedule(value),
            "model" => self.choose_model(|setup| *field(setup) = value),
            _ => *field(self) = value,
        }
    }

    /// The query without its question mark; empty for the first picture.
    pub(crate) fn to_query(&self) -> String {
        let (mut own, mut first) = (self.clone(), Self::default());
        let mut parts = Vec::new();
        for (name, _, field) in CHOICES {
            if field(&mut own) != field(&mut first) {
                parts.push(format!("{name}={}", field(&mut own)));
            }
        }
        for (name, _, _, field) in NUMBERS {
            if field(&mut own) != field(&mut first) {
                parts.push(format!("{name}={}", field(&mut own)));
            }
        }
        if own.widths != first.widths {
            parts.push(format!("widths={}", own.widths.replace(", ", ",").replace(' ', ",")));
        }
        match &own.cut {
            Cut::Time => {}
            Cut::Parameters => parts.push("cut=parameters".to_owned()),
            Cut::Memory => parts.push("cut=memory".to_owned()),
            Cut::ByHand(counts) => {
                let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
                parts.push(format!("cut={}", counts.join(",")));
            }
        }
        if let Some(of) = &own.of {
            parts.push(format!("of={of}"));
        }
        if let Some(run) = &own.run {
            parts.push(format!("run={run}"));
        }
        parts.join("&")
    }

    /// Reads a query, decoded. What it does not know it leaves alone; a number outside its bounds becomes the nearest inside.
    pub(crate) fn from_query(query: &str) -> Self {
        let mut setup = Self::default();
        for (name, value) in query.trim_start_matches('?').split('&').filter_map(|part| part.split_once('=')) {
            if let Some((_, names, field)) = CHOICES.iter().find(|choice| choice.0 == name) {
                if let Some((known, _)) = names.iter().find(|known| known.0 == value) {
                    *field(&mut setup) = known;
                }
            } else if let Some((_, least, most, field)) = NUMBERS.iter().find(|number| number.0 == name) {
                if let Ok(number) = value.parse::<usize>() {
                    *field(&mut setup) = number.clamp(*least, *most);
                }
            } else if name == "widths" {
                value.replace(',', ", ").clone_into(&mut setup.widths);
            } else if name == "cut" {
                setup.cut = match value {
                    "time" => Cut::Time,
                    "parameters" => Cut::Parameters,
                    "memory" => Cut::Memory,
                    counts => {
                        counts.split(',').map(str::parse).collect::<Result<_, _>>().map_or(Cut::Time, Cut::ByHand)
                    }
                };
            } else if name == "of" && !value.is_empty() {
                setup.of = Some(value.to_owned());
            } else if name == "run" && !value.is_empty() {
                setup.run = Some(value.to_owned());
            }
        }
        setup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_needs_no_query() {
        assert_eq!(Setup::default().to_query(), "");
        assert_eq!(Setup::from_query(""), Setup::default());
    }

    #[test]
    fn a_query_says_everything_that_is_set() {
        let setup = Setup {
            model: "layers",
            widths: "3, 64*3, 1".to_owned(),
            batch: 96,
            ranks: 2,
            micro_batches: 12,
            schedule: "interleaved",
            chunks: 2,
            recompute: "always",
            replicas: 4,
            zero: "3",
            optimizer: "sgd",
            offload: "host",
            link: "gigabit",
            gflops: 900,
            room: 512,
            cut: Cut::ByHand(vec![1, 1, 1, 1]),
            of: Some("1.abc-_".to_owned()),
            run: Some("abc".to_owned()),
            ..Setup::default()
        };
        let query = setup.to_query();
        assert_eq!(Setup::from_query(&query), setup, "{query}");
        assert!(query.contains("cut=1,1,1,1") && query.contains("widths=3,64*3,1"), "{query}");
    }

    #[test]
    fn every_number_and_choice_is_said_and_read() {
        for (name, least, most, field) in NUMBERS {
            for value in [*least, *most] {
                let mut setup = Setup::default();
                *field(&mut setup) = value;
                assert_eq!(Setup::from_query(&setup.to_query()), setup, "{name}={value}");
                assert_eq!(setup.number(name), value);
            }
        }
        for (name, values, field) in CHOICES {
            for (value, _) in *values {
                let mut setup = Setup::default();
                *field(&mut setup) = value;
                assert_eq!(Setup::from_query(&setup.to_query()), setup, "{name}={value}");
                assert_eq!(setup.choice(name), *value);
            }
        }
    }

    #[test]
    fn what_is_set_by_name_stays_possible() {
        let mut setup = Setup { cut: Cut::ByHand(vec![100, 20, 20, 11]), ..Setup::default() };
        setup.set_number("micro-batches", 16);
        assert!(matches!(setup.cut, Cut::ByHand(_)));
        setup.set_number("ranks", 1000);
        assert_eq!((setup.ranks, &setup.cut), (MAX_RANKS, &Cut::Time));
        setup.set_choice("schedule", "interleaved");
        setup.set_choice("schedule", "no such");
        assert_eq!((setup.schedule, setup.chunks), ("interleaved", 2));
    }

    #[test]
    fn nonsense_leaves_the_first_picture() {
        let setup = Setup::from_query("?model=<b>&ranks=-1&micro-batches=x&cut=1,,2&chunks=&x&y=z&run=&zero=9");
        assert_eq!(setup, Setup::default());
        let setup = Setup::from_query("ranks=0&micro-batches=99999999&batch=18446744073709551615");
        assert_eq!((setup.ranks, setup.micro_batches, setup.batch), (1, MAX_MICRO_BATCHES, MAX_BATCH));
    }
}
