//! Sizes of partitions and volumes.

use drydock_model::effective::Size;

/// Reads a size: optional `>` (at least so much, and the rest), a whole number, and a unit. `m`, `mb`, `g`, `gb`, `t`, `tb` are powers of
/// ten; `mi`, `mib`, `gi`, `gib`, `ti`, `tib` powers of two; `%` is a share. Case does not count.
///
/// # Errors
/// What in the text cannot be understood.
pub fn parse(text: &str) -> Result<Size, String> {
    let trimmed = text.trim();
    let (at_least, rest) = match trimmed.strip_prefix('>') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, trimmed),
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, unit) = rest.split_at(end);
    if digits.is_empty() {
        return Err(format!("the size {text:?} has no whole number"));
    }
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("the number in the size {text:?} is too large"))?;
    let unit = unit.trim().to_ascii_lowercase();
    if unit == "%" {
        let share = u32::try_from(number)
            .ok()
            .filter(|share| *share <= 100)
            .ok_or_else(|| format!("the size {text:?} is more than all there is (100%)"))?;
        return Ok(if at_least {
            Size::AtLeastPercent(share)
        } else {
            Size::Percent(share)
        });
    }
    let factor: u64 = match unit.as_str() {
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        "" => return Err(format!("the size {text:?} has no unit")),
        _ => return Err(format!("the size {text:?} has an unknown unit {unit:?}")),
    };
    let bytes = number
        .checked_mul(factor)
        .ok_or_else(|| format!("the size {text:?} is too large"))?;
    Ok(if at_least {
        Size::AtLeast(bytes)
    } else {
        Size::Bytes(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sizes() {
        for (text, size) in [
            ("20g", Size::Bytes(20_000_000_000)),
            ("20GB", Size::Bytes(20_000_000_000)),
            ("500m", Size::Bytes(500_000_000)),
            ("2T", Size::Bytes(2_000_000_000_000)),
            ("1gi", Size::Bytes(1_073_741_824)),
            ("1MiB", Size::Bytes(1_048_576)),
            ("1tib", Size::Bytes(1_099_511_627_776)),
            (">100g", Size::AtLeast(100_000_000_000)),
            ("> 1 tb", Size::AtLeast(1_000_000_000_000)),
            ("99%", Size::Percent(99)),
            (">10%", Size::AtLeastPercent(10)),
            ("0%", Size::Percent(0)),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "g",
            "20",
            "-5g",
            "1.5g",
            "20k",
            "20 gg",
            "101%",
            "99999999999999999999g",
            "18446744073709551615t",
            ">",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
