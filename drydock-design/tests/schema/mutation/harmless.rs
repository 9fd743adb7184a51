//! Mutants that nothing is told of, and why; and where schemas are loose on purpose.

use super::breed::{Class, Mutant};

/// Class, field, and why it is harmless.
pub const LIST: &[(Class, &str, &str)] = &[
    (
        Class::OutOfRange,
        "BaremetalNode body.platform.kernel_params.*",
        "an empty text makes a bare flag, as `true` does; which flags there are the kernel alone knows",
    ),
    (
        Class::OutOfRange,
        "HostProfile body.platform.kernel_params.*",
        "an empty text makes a bare flag, as `true` does; which flags there are the kernel alone knows",
    ),
];

/// Where the schema is looser than the reader on purpose: what is done to a field, and why the schema does not see it.
pub const LAX: &[(&str, &str)] = &[
    (
        "becomes \"99999999999999999999\"",
        "the size of a number in quotes is beyond a pattern; nobody writes one of more than 64 bits",
    ),
    (
        "becomes 99999999999999999999",
        "where no rule sets a limit, the schema sets none either; nobody writes a number of more than 64 bits",
    ),
];

/// The entry of [`LAX`] that a mutant falls under.
pub fn lax(mutant: &Mutant) -> Option<&'static str> {
    let entry = LAX.iter().find(|(what, _)| *what == mutant.what);
    entry.map(|(what, _)| *what)
}
