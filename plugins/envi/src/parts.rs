//! The parts of a payload by role. A file is a reference only where its role says so, never by its name.

use sluice_plugin_sdk::{Host, Part};

use crate::error::Error;
use crate::header::{HEADER_BYTES_MAX, Header};
use crate::reference::Kind;

/// A header with its image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    /// The header's name.
    pub header_name: String,
    /// Its part.
    pub header_part: u32,
    /// Its size in bytes.
    pub header_size: u64,
    /// The image's name.
    pub image_name: String,
    /// Its part.
    pub image_part: u32,
    /// Its size in bytes.
    pub image_size: u64,
}

/// The pairs of a payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pairs {
    /// What is to be flattened.
    pub image: Pair,
    /// References, in the order of [`Kind::ALL`].
    pub references: Vec<(Kind, Pair)>,
}

/// What is missing of a pair, as a sentence's end.
pub(crate) type Missing = Vec<String>;

impl Pairs {
    /// Sorts the parts; `Ok(Err(..))` where some have still to come.
    pub(crate) fn find(parts: &[Part]) -> Result<Result<Self, Missing>, Error> {
        let mut missing = vec![];
        let image = pair(parts, "image", "header", true, &mut missing)?;
        let mut references = vec![];
        for kind in Kind::ALL {
            let header = format!("{}_header", kind.role());
            if let Some(found) = pair(parts, kind.role(), &header, false, &mut missing)? {
                references.push((kind, found));
            }
        }
        Ok(match image {
            Some(image) if missing.is_empty() => Ok(Self { image, references }),
            _ => Err(missing),
        })
    }
}

impl Pair {
    /// Reads and parses the header.
    pub(crate) fn read_header(&self, host: &mut dyn Host) -> Result<Header, Error> {
        if self.header_size > HEADER_BYTES_MAX {
            let expected = format!("a header of at most {HEADER_BYTES_MAX} bytes");
            let found = format!("{} bytes", self.header_size);
            return Err(Error::file(&self.header_name, expected, found, "give the image the role `image`"));
        }
        let bytes =
            host.read(self.header_part, 0, self.header_size).map_err(|error| Error::read(&self.header_name, &error))?;
        Header::parse(&self.header_name, &bytes)
    }
}

fn pair(
    parts: &[Part],
    image_role: &str,
    header_role: &str,
    needed: bool,
    missing: &mut Missing,
) -> Result<Option<Pair>, Error> {
    let (image, header) = (only(parts, image_role)?, only(parts, header_role)?);
    match (image, header) {
        (Some((image_part, image)), Some((header_part, header))) => Ok(Some(Pair {
            header_name: header.name.clone(),
            header_part,
            header_size: header.size,
            image_name: image.name.clone(),
            image_part,
            image_size: image.size,
        })),
        (Some((_, image)), None) => {
            missing.push(format!("a part with the role `{header_role}`: the header of `{}`", image.name));
            Ok(None)
        }
        (None, Some((_, header))) => {
            missing.push(format!("a part with the role `{image_role}`: the image of `{}`", header.name));
            Ok(None)
        }
        (None, None) if needed => {
            missing.extend([header_role, image_role].map(|role| format!("a part with the role `{role}`")));
            Ok(None)
        }
        (None, None) => Ok(None),
    }
}

fn only<'a>(parts: &'a [Part], role: &str) -> Result<Option<(u32, &'a Part)>, Error> {
    let mut found = (0_u32..).zip(parts).filter(|(_, part)| part.role == role);
    let first = found.next();
    match (first, found.next()) {
        (Some((_, first)), Some((_, second))) => {
            let expected = format!("one part with the role `{role}`");
            Err(Error::file(&second.name, expected, format!("`{}` too", first.name), "deliver one cube per payload"))
        }
        _ => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(roles: &[&str]) -> Vec<Part> {
        roles.iter().map(|role| Part { role: (*role).into(), name: format!("{role}.x"), size: 1 }).collect()
    }

    #[test]
    fn roles_make_pairs() {
        let pairs = Pairs::find(&parts(&["dark", "image", "header", "dark_header", "notes"])).unwrap().unwrap();
        assert_eq!((pairs.image.image_part, pairs.image.header_part), (1, 2));
        assert_eq!((pairs.references[0].0, pairs.references[0].1.header_part), (Kind::Dark, 3));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = Pairs::find(&parts(&["header", "white"])).unwrap().unwrap_err();
        assert_eq!(missing.len(), 2);
        assert!(missing[0].contains("`image`") && missing[1].contains("`white_header`"), "{missing:?}");
        assert_eq!(Pairs::find(&[]).unwrap().unwrap_err().len(), 2);
    }

    #[test]
    fn a_role_is_given_once() {
        let error = Pairs::find(&parts(&["header", "image", "image"])).unwrap_err().to_string();
        assert!(error.contains("one part with the role `image`"), "{error}");
    }
}
