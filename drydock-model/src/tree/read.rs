//! Typed values from a tree, through serde, with the place and the path of what does not fit.
//!
//! Scalars are read leniently, for that is how designs are written: a number or a boolean where text is wanted is taken as spelled, a
//! number or a boolean within quotes is taken where one is wanted.

use std::cell::RefCell;

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::misfit::{Ignored, ReadError};
use super::{Entry, Position, Tree, Value};

impl Tree {
    /// Reads a typed value.
    ///
    /// # Errors
    /// The first thing that does not fit, with its place.
    pub fn read<T: de::DeserializeOwned>(&self) -> Result<T, ReadError> {
        self.read_noting(&RefCell::new(Vec::new()))
    }

    /// Reads a typed value and tells which keys the type passed over.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn read_with_ignored<T: de::DeserializeOwned>(
        &self,
    ) -> Result<(T, Vec<Ignored>), ReadError> {
        let ignored = RefCell::new(Vec::new());
        let value = self.read_noting(&ignored)?;
        Ok((value, ignored.into_inner()))
    }

    fn read_noting<T: de::DeserializeOwned>(
        &self,
        ignored: &RefCell<Vec<Ignored>>,
    ) -> Result<T, ReadError> {
        let reader = Reader {
            tree: self,
            ignored,
            path: &Path::Root,
            key: None,
        };
        T::deserialize(reader).map_err(|mut error| {
            error.position.get_or_insert(self.position);
            error
        })
    }
}

/// The way to a value, kept on the stack.
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn segments(&self) -> Vec<String> {
        match self {
            Path::Root => Vec::new(),
            Path::Key(parent, key) => {
                let mut segments = parent.segments();
                segments.push((*key).to_owned());
                segments
            }
            Path::Index(parent, index) => {
                let mut segments = parent.segments();
                segments.push(format!("[{index}]"));
                segments
            }
        }
    }
}

/// Reads one value. `'a` is the tree's life, `'p` that of the path, which grows on the stack.
#[derive(Clone, Copy)]
struct Reader<'a, 'p> {
    tree: &'a Tree,
    ignored: &'p RefCell<Vec<Ignored>>,
    path: &'p Path<'p>,
    /// The key that the value stands under, and what fields its map has.
    key: Option<(Position, &'static [&'static str])>,
}

impl<'a> Reader<'a, '_> {
    fn unfit(&self, visitor: &dyn de::Expected) -> ReadError {
        de::Error::custom(format_args!(
            "here is {}, expected {visitor}",
            self.tree.describe()
        ))
    }

    fn integer(&self) -> Option<i64> {
        match &self.tree.value {
            Value::Integer { value, .. } => Some(*value),
            Value::String { text, .. } => text.trim().parse().ok(),
            Value::Float { value, .. } if value.fract() == 0.0 && value.abs() < 9.0e15 =>
            {
                #[allow(clippy::cast_possible_truncation)]
                Some(*value as i64)
            }
            _ => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match self.tree.as_text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn map<V: Visitor<'a>>(
        self,
        visitor: V,
        fields: &'static [&'static str],
    ) -> Result<V::Value, ReadError> {
        let Value::Mapping(entries) = &self.tree.value else {
            return Err(self.unfit(&visitor));
        };
        visitor.visit_map(MapReader {
            reader: self,
            rest: entries.iter(),
            current: None,
            fields,
        })
    }
}

impl<'a> de::Deserializer<'a> for Reader<'a, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.tree.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer { value, text } if value.to_string() == **text => {
                visitor.visit_i64(*value)
            }
            Value::Float { value, text } if value.to_string() == **text => {
                visitor.visit_f64(*value)
            }
            Value::Integer { text, .. }
            | Value::Float { text, .. }
            | Value::String { text, .. } => visitor.visit_str(text),
            Value::Sequence(_) => self.deserialize_seq(visitor),
            Value::Mapping(_) => self.map(visitor, &[]),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.boolean() {
            Some(value) => visitor.visit_bool(value),
            None => Err(self.unfit(&visitor)),
        }
    }

    fn deserialize_i64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.integer() {
            Some(value) => visitor.visit_i64(value),
            None => Err(self.unfit(&"a whole number")),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.tree.as_text() {
            Some(text) => visitor.visit_str(text),
            None => Err(self.unfit(&"a text")),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.tree.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Sequence(items) = &self.tree.value else {
            return Err(self.unfit(&"a list"));
        };
        visitor.visit_seq(SeqReader {
            reader: self,
            rest: items.iter(),
            index: 0,
        })
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.map(visitor, &[])
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if !matches!(self.tree.value, Value::Mapping(_)) {
            return Err(self.unfit(&"a map"));
        }
        self.map(visitor, fields)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.tree.as_text() {
            Some(text) => visitor.visit_enum(Word(text)),
            None => Err(self.unfit(&"a word")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // What a removal (`!name`) stands over is passed over on purpose.
        let removal = matches!(self.path, Path::Key(_, key) if key.starts_with('!'));
        if let Some((position, known)) = self.key.filter(|_| !removal) {
            self.ignored.borrow_mut().push(Ignored {
                position,
                path: self.path.segments(),
                known,
            });
        }
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { <V: Visitor<'a>> unit unit_struct f32 f64 bytes byte_buf tuple tuple_struct }

    fn deserialize_i8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }
    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }
    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }
    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }
}

struct SeqReader<'a, 'p> {
    reader: Reader<'a, 'p>,
    rest: std::slice::Iter<'a, Tree>,
    index: usize,
}

impl<'a> SeqAccess<'a> for SeqReader<'a, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(tree) = self.rest.next() else {
            return Ok(None);
        };
        let path = Path::Index(self.reader.path, self.index);
        let item = Reader {
            tree,
            ignored: self.reader.ignored,
            path: &path,
            key: None,
        };
        let value = seed
            .deserialize(item)
            .map_err(|error| error.at(format!("[{}]", self.index), tree.position))?;
        self.index += 1;
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct MapReader<'a, 'p> {
    reader: Reader<'a, 'p>,
    rest: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
    fields: &'static [&'static str],
}

impl<'a> MapAccess<'a> for MapReader<'a, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        self.current = self.rest.next();
        let Some(entry) = self.current else {
            return Ok(None);
        };
        let key = (&*entry.key).into_deserializer();
        seed.deserialize(key)
            .map(Some)
            .map_err(|mut error: ReadError| {
                error.position.get_or_insert(entry.key_position);
                error
            })
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(entry) = self.current else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let path = Path::Key(self.reader.path, &entry.key);
        let value = Reader {
            tree: &entry.value,
            ignored: self.reader.ignored,
            path: &path,
            key: Some((entry.key_position, self.fields)),
        };
        seed.deserialize(value)
            .map_err(|error| error.at(entry.key.to_string(), entry.value.position))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A word that names a variant.
struct Word<'a>(&'a str);

impl<'a> EnumAccess<'a> for Word<'a> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name: de::value::StrDeserializer<'a, ReadError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'a> VariantAccess<'a> for Word<'a> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, _seed: T) -> Result<T::Value, ReadError> {
        Err(de::Error::custom(format_args!(
            "{:?} takes a value",
            self.0
        )))
    }

    fn tuple_variant<V: Visitor<'a>>(
        self,
        _len: usize,
        _visitor: V,
    ) -> Result<V::Value, ReadError> {
        Err(de::Error::custom(format_args!("{:?} takes values", self.0)))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, ReadError> {
        Err(de::Error::custom(format_args!("{:?} takes fields", self.0)))
    }
}
