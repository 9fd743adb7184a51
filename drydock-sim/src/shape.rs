//! What stands in the simulated site: machines, rack controllers and operating system images.

use std::collections::HashSet;
use std::net::IpAddr;

use secrecy::SecretString;

use crate::error::SimError;

/// A site to simulate.
#[derive(Debug, Clone, Default)]
pub struct SiteShape {
    /// Bare machines; MaaS does not know them until they boot from the network.
    pub machines: Vec<MachineShape>,
    /// Machines that MaaS knows from the start as rack controllers. They are on whatever `powered_on`
    /// says, and MaaS lists them beside its own rack.
    pub controllers: Vec<MachineShape>,
    /// Images MaaS offers beyond the stock Ubuntu series: image or series name and the kernels it comes with.
    pub images: Vec<(String, Vec<String>)>,
}

/// One machine with its BMC.
#[derive(Debug, Clone)]
pub struct MachineShape {
    /// Name in the simulator's log and faults. MaaS never sees it: an enlisted machine gets a made-up hostname.
    pub name: String,
    /// What its BMC speaks.
    pub bmc: BmcKind,
    /// Address its BMC listens on; only 127.0.0.0/8 and ::1 are accepted.
    pub bmc_address: IpAddr,
    /// Port of its BMC, of UDP or TCP as its kind has it; `None` for the port that all BMCs of the kind share.
    pub bmc_port: Option<u16>,
    /// User its BMC knows, with administrator privilege.
    pub bmc_user: String,
    /// Password of that user.
    pub bmc_password: SecretString,
    /// Network cards, in the order the machine finds them.
    pub nics: Vec<NicShape>,
    /// Index in `nics` of the card it boots from.
    pub boot_nic: usize,
    /// Disks, in the order the machine finds them.
    pub disks: Vec<DiskShape>,
    /// Number of processor threads.
    pub cpu_count: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Whether it is on at the start (running something that is nobody's business) or off.
    pub powered_on: bool,
}

/// What a BMC speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BmcKind {
    /// IPMI 2.0 over RMCP+, by UDP.
    #[default]
    Ipmi,
    /// Redfish over HTTP, by TCP.
    Redfish(Transport),
}

/// How a Redfish service is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// By plain HTTP.
    Http,
    /// By TLS with a certificate of its own, signed by itself and marked as an authority (CA:TRUE), as BMCs are delivered with.
    /// Another one in every world.
    #[default]
    SelfSigned,
    /// By TLS with a certificate for its address from the world's authority; see [`World::redfish_ca`](crate::World::redfish_ca).
    Issued,
}

/// One network card.
#[derive(Debug, Clone)]
pub struct NicShape {
    /// Name the operating system gives it, such as `eno1`.
    pub name: String,
    /// Hardware address, `aa:bb:cc:dd:ee:ff` in either case.
    pub mac: String,
    /// PCI address, such as `0000:00:03.0`; `lshw` reports it as `pci@0000:00:03.0`.
    pub pci_address: String,
}

/// One disk.
#[derive(Debug, Clone)]
pub struct DiskShape {
    /// Kernel name, such as `sda`.
    pub name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// SCSI address, such as `2:0.0.0`; `lshw` reports it as `scsi@2:0.0.0`. One with an `@` is reported as it is.
    pub address: String,
}

impl SiteShape {
    /// Checks what cannot be simulated: addresses off the loopback, names or hardware addresses used twice, a boot card
    /// that does not exist.
    pub(crate) fn check(&self) -> Result<(), SimError> {
        let mut names = HashSet::new();
        let mut macs = HashSet::new();
        for machine in self.machines.iter().chain(&self.controllers) {
            if !machine.bmc_address.is_loopback() {
                return Err(SimError::NotLoopback {
                    machine: machine.name.clone(),
                    address: machine.bmc_address,
                });
            }
            if !names.insert(machine.name.as_str()) {
                return Err(SimError::Twice {
                    what: "machine name",
                    value: machine.name.clone(),
                });
            }
            if machine.boot_nic >= machine.nics.len() {
                return Err(SimError::NoBootNic {
                    machine: machine.name.clone(),
                    boot_nic: machine.boot_nic,
                    nics: machine.nics.len(),
                });
            }
            for nic in &machine.nics {
                if !macs.insert(nic.mac.to_ascii_lowercase()) {
                    return Err(SimError::Twice {
                        what: "hardware address",
                        value: nic.mac.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl MachineShape {
    /// Its hardware addresses in lower case.
    pub(crate) fn macs(&self) -> Vec<String> {
        self.nics
            .iter()
            .map(|nic| nic.mac.to_ascii_lowercase())
            .collect()
    }
}
