//! An entry in words: the same in the terminal, in docs/recommenders.md and on the page.

use super::{Condition, Entry, Param, ParamKind};

impl Entry {
    /// Its parameters with their names as written in a spec, and those of its components' places, as
    /// `components[].weight`.
    pub fn written_params(&self) -> Vec<(String, &'static Param)> {
        let mut all = Vec::new();
        for param in self.params {
            all.push((param.name.to_owned(), param));
            if let ParamKind::Recommenders { slots, .. } = &param.kind {
                let of_places = slots.iter().flat_map(|slot| slot.params);
                all.extend(of_places.map(|of_place| (format!("{}[].{}", param.name, of_place.name), of_place)));
            }
        }
        all
    }

    /// What one of its parameters does, and what it takes for anything to read it.
    pub fn help_of(&self, param: &Param) -> String {
        match Condition::of(self.kind, param.name) {
            None => param.help.to_owned(),
            Some(condition) => {
                format!("{} Counts only where {}.", param.help, condition.words("").trim_start_matches('.'))
            }
        }
    }

    /// What the data must have.
    pub fn needs_in_words(&self) -> String {
        let words: Vec<&str> = self.needs.iter().map(|need| need.as_str()).collect();
        if words.is_empty() { "ratings or interactions".to_owned() } else { format!("{} too", words.join(" and ")) }
    }

    /// What a person gets who came after the training and shows a basket of items.
    pub fn new_users_in_words(&self) -> String {
        self.new_users.map_or_else(|why| format!("only after training again: {why}"), str::to_owned)
    }

    /// What `[training]` is to it, as what follows that word.
    pub fn training_in_words(&self) -> String {
        match self.losses {
            [] => "does not apply: it is not trained step by step".to_owned(),
            losses => {
                let usual = self.training_defaults();
                let losses = losses.iter().map(|loss| loss.as_str()).collect::<Vec<_>>().join(", ");
                let (epochs, rows, rate) = (usual.epochs, usual.batch_size, usual.learning_rate);
                format!("applies; loss: {losses}; unless set {epochs} epochs, batches of {rows}, learning rate {rate}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ENTRIES, find};

    #[test]
    fn every_parameter_is_written_once_and_those_of_places_behind_their_list() {
        for entry in ENTRIES {
            let names: Vec<String> = entry.written_params().into_iter().map(|(name, _)| name).collect();
            let own: Vec<&str> = entry.params.iter().map(|param| param.name).collect();
            let flat: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.contains("[].")).collect();
            assert_eq!(flat, own, "{}", entry.kind);
        }
        let weighted = find("weighted").expect("a hybrid").written_params();
        assert!(weighted.iter().any(|(name, _)| name == "components[].weight"), "{weighted:?}");
    }

    #[test]
    fn a_parameter_that_is_read_only_sometimes_says_when() {
        let knn = find("item-knn").expect("known");
        let help = |name: &str| knn.help_of(knn.param(name).expect("its parameter"));
        assert!(help("bm25_k1").ends_with(" Counts only where similarity is bm25."), "{}", help("bm25_k1"));
        assert!(!help("similarity").contains("Counts only"), "{}", help("similarity"));
    }
}
