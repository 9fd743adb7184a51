//! Which servers are new enough.

use drydock_model::store::{StoreError, StoreResult};

/// The oldest major version: the first with `gen_random_uuid()` of its own, which makes the claim tokens.
const OLDEST: i32 = 13;

/// Refuses a server that is too old. `number` is its `server_version_num`: the major version times 10,000 since 10,
/// before that two parts of it (9.6.24 is 90624).
pub(super) fn check(number: i32) -> StoreResult<()> {
    if number >= OLDEST * 10_000 {
        return Ok(());
    }
    let name = match number {
        100_000.. => format!("{}.{}", number / 10_000, number % 10_000),
        _ => format!("{}.{}", number / 10_000, number / 100 % 100),
    };
    Err(StoreError::Conflict(format!(
        "the PostgreSQL server is version {name}, and drydock needs {OLDEST} or later; upgrade the server, or take \
         another one with database.url"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_before_13_are_refused_by_name() {
        for (number, name) in [
            (90_624, "9.6"),
            (100_023, "10.23"),
            (120_022, "12.22"),
            (129_999, "12.9999"),
        ] {
            let Err(StoreError::Conflict(text)) = check(number) else {
                panic!("{number} must be refused");
            };
            let said = format!("version {name}, and drydock needs 13 or later");
            assert!(text.contains(&said), "{text}");
        }
        for number in [130_000, 130_014, 150_013, 180_000] {
            assert_eq!(check(number), Ok(()), "{number}");
        }
    }
}
