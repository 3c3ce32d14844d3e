//! The JSON Schema of `[recommender]`, from the entries.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{ENTRIES, Entry, Param, ParamKind, Slot};
use crate::limits::MAX_NAME_CHARS;

/// One of every kind.
pub(crate) fn any_recommender(generator: &mut SchemaGenerator) -> Value {
    let kinds: Vec<Value> = ENTRIES.iter().map(|entry| recommender(entry, &[], generator)).collect();
    json!({ "description": "The method and its parameters.", "oneOf": kinds })
}

/// One kind, with the parameters of the place where it stands.
fn recommender(entry: &'static Entry, of_place: &'static [Param], generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "const": entry.kind }));
    for param in entry.params.iter().chain(of_place) {
        let mut schema = value(entry, param, generator);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), json!(param.help));
            object.insert("default".to_owned(), json!(param.default_value()));
        }
        properties.insert(param.name.to_owned(), schema);
    }
    json!({
        "type": "object", "title": entry.title, "description": entry.summary,
        "properties": properties, "required": ["kind"], "additionalProperties": false,
    })
}

fn value(entry: &'static Entry, param: &'static Param, generator: &mut SchemaGenerator) -> Value {
    match &param.kind {
        ParamKind::Integer { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        ParamKind::Float { min, max, .. } => json!({ "type": "number", "minimum": min, "maximum": max }),
        ParamKind::Boolean { .. } => json!({ "type": "boolean" }),
        ParamKind::Choice { options, .. } => json!({ "enum": options }),
        ParamKind::Integers { min, max, max_len, .. } => json!({
            "type": "array", "minItems": 1, "maxItems": max_len,
            "items": { "type": "integer", "minimum": min, "maximum": max },
        }),
        ParamKind::Names { max_len, .. } => json!({
            "type": "array", "maxItems": max_len,
            "items": { "type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS },
        }),
        ParamKind::Recommenders { min_len, max_len, slots, .. } => {
            let mut places: Vec<Value> =
                slots.iter().enumerate().map(|(index, slot)| component(entry, index, slot, generator)).collect();
            let last = places.pop().unwrap_or_default();
            json!({
                "type": "array", "minItems": min_len, "maxItems": max_len, "prefixItems": places, "items": last,
            })
        }
    }
}

/// A reference to the definition of what may stand at a place.
fn component(entry: &'static Entry, index: usize, slot: &'static Slot, generator: &mut SchemaGenerator) -> Value {
    let name = format!("Component{index}-{}", entry.kind);
    if !generator.definitions().contains_key(&name) {
        // Known before its contents are: hybrids may hold each other.
        generator.definitions_mut().insert(name.clone(), Value::Bool(true));
        let allowed = ENTRIES.iter().copied().filter(|entry| slot.takes.allows(entry));
        let kinds: Vec<Value> = allowed.map(|entry| recommender(entry, slot.params, generator)).collect();
        let text = format!("Component {index} of `{}`.", entry.kind);
        generator.definitions_mut().insert(name.clone(), json!({ "description": text, "oneOf": kinds }));
    }
    let path = &generator.settings().definitions_path;
    json!({ "$ref": format!("#{path}/{name}") })
}
