//! What values that are written as texts look like. Patterns use only what every dialect of regular expressions has.
//!
//! A pattern is no looser than needed for an editor to help, and never tighter than the reader: what it refuses, a rule refuses.

/// A whole number in quotes.
pub const INTEGER: &str = r"^\s*[-+]?[0-9]+\s*$";

/// A boolean in quotes, or as a word.
pub const BOOLEAN: &str =
    r"^([Tt][Rr][Uu][Ee]|[Yy][Ee][Ss]|[Oo][Nn]|[Ff][Aa][Ll][Ss][Ee]|[Nn][Oo]|[Oo][Ff][Ff])$";

/// An IPv4 or IPv6 address.
pub const ADDRESS: &str = r"^\s*([0-9]+(\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\s*$";

/// An address, or `dhcp` in any case.
pub const ADDRESS_OR_DHCP: &str =
    r"^\s*([Dd][Hh][Cc][Pp]|[0-9]+(\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\s*$";

/// An address with the length of its prefix.
pub const PREFIX: &str = r"^\s*([0-9]+(\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)/[0-9]{1,3}\s*$";

/// A VLAN id from 0 to 4094 (IEEE 802.1Q-2018, section 9.6).
pub const VLAN: &str = r"^\s*\+?0*([0-9]{1,3}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4])\s*$";

/// `auto`, or a speed and a duplex.
pub const LINKSPEED: &str =
    r"^\s*([Aa][Uu][Tt][Oo]|[0-9]+[GgMm]?([Ff][Uu][Ll][Ll]|[Hh][Aa][Ll][Ff])?)\s*$";

/// A DNS name (RFC 1035, section 2.3.1; RFC 1123, section 2.1).
pub const DOMAIN: &str =
    r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$";

/// Twelve hexadecimal digits, with or without separators.
pub const MAC: &str = r"^[:.-]*([0-9A-Fa-f][:.-]*){12}$";

/// A size of a partition or volume.
pub const SIZE: &str = r"^\s*>?\s*[0-9]+\s*([MmGgTt][Ii]?[Bb]?|%)\s*$";

/// A size of huge pages (kernel parameter `hugepagesz`).
pub const HUGEPAGE: &str = r"^\s*[0-9]+([KkMmGg][Bb]?)\s*$";

/// A port number.
pub const PORT: &str = r"^\+?0*[1-9][0-9]{0,4}$";

/// A file mode in octal digits.
pub const MODE: &str = r"^(0o)?\+?0*[0-7]{1,4}$";

/// A path from the root.
pub const ABSOLUTE_PATH: &str = r"^/[\s\S]";

/// Where a file system is mounted.
pub const MOUNTPOINT: &str = r"^(/[\s\S]*|none|swap)$";

/// Options of a mount: no blanks, for they are one word of a line in fstab(5).
pub const MOUNT_OPTIONS: &str = r"^\S*$";

/// A URL with its scheme; a template may stand anywhere in it.
pub const LOCATION: &str = r"^\s*([A-Za-z][A-Za-z0-9+.-]*:|[{])[\s\S]*$";

/// A URI with its scheme (RFC 3986, section 3.1).
pub const URI: &str = r"^\s*[A-Za-z][A-Za-z0-9+.-]*:[\s\S]+$";

/// Where packages can be fetched from.
pub const REPOSITORY_URL: &str =
    r"^\s*([Hh][Tt][Tt][Pp][Ss]?://|[Ff][Tt][Pp]://|[Pp][Pp][Aa]:)\S+\s*$";

/// A version of a Debian package (Debian policy, section 5.6.12); nothing means any.
pub const PACKAGE_VERSION: &str = r"^([0-9]+:)?[A-Za-z0-9.+~-]*$";

/// A hypervisor, reached by SSH.
pub const LIBVIRT_URI: &str = r"^\s*[Qq][Ee][Mm][Uu]\+[Ss][Ss][Hh]://[\s\S]*$";
