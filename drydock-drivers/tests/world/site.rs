//! A site for the tests: the design, the simulated machines that stand for it, and the drivers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use drydock_drivers::AllowNetworks;
use drydock_drivers::ipmi::{IpmiDriver, IpmiSettings};
use drydock_drivers::maas::{MaasDriver, MaasSettings};
use drydock_model::driver::Driver;
use drydock_model::effective::{
    Address, Addressing, BondMode, Bonding, Device, DeviceAlias, EffectiveDesign, Filesystem,
    Interface, Link, LogicalVolume, Network, Node, Oob, Partition, PhysicalDevice, Platform, Range,
    RangeKind, Repository, Route, Site, Size, Storage, VolumeGroup,
};
use drydock_model::id::Digest;
use drydock_model::step::StepAction;
use drydock_sim::{
    BmcKind, Call, DiskShape, Entry, Faults, MaasFault, MachineShape, NicShape, SiteShape, Timing,
    World,
};

use crate::run::Step;

pub const PASSWORD: &str = "correct-horse";

/// The world of one test.
pub struct Fixture {
    pub world: World,
    pub design: Arc<EffectiveDesign>,
    pub ipmi: IpmiDriver,
    pub maas: MaasDriver,
}

/// Address of the BMC of node `n{index}`; `block` keeps tests that run side by side apart.
pub fn bmc(block: u8, index: u8) -> IpAddr {
    Ipv4Addr::new(127, 77, block, index).into()
}

fn mac(block: u8, index: u8, nic: u8) -> String {
    format!("52:54:{block:02x}:00:{index:02x}:{nic:02x}")
}

pub fn loopback() -> AllowNetworks {
    AllowNetworks::only(vec![
        "127.0.0.0/8".parse().unwrap(),
        "::1/128".parse().unwrap(),
    ])
}

impl Fixture {
    pub async fn start(block: u8, nodes: u8, faults: Faults) -> Self {
        let design = Arc::new(design(block, nodes));
        let shape = SiteShape {
            machines: (1..=nodes).map(|index| machine(block, index)).collect(),
            ..SiteShape::default()
        };
        let world = World::start(shape, Timing { scale: 0.002 }, faults)
            .await
            .unwrap();
        let ipmi = IpmiDriver::new(ipmi_settings(&world), loopback());
        let maas = maas_driver(&world);
        Fixture {
            world,
            design,
            ipmi,
            maas,
        }
    }

    pub fn step(&self, action: StepAction, node: &str) -> Step {
        Step::new(action, &self.design, Some(node))
    }

    /// Brings a node to Ready, as prepare_nodes does.
    pub async fn prepare(&self, node: &str) {
        let first = self
            .step(StepAction::IdentifyNode, node)
            .run(&self.maas)
            .await
            .unwrap();
        if first.facts["known"] == false {
            self.step(StepAction::SetNodeBoot, node)
                .run(&self.ipmi)
                .await
                .unwrap();
            self.step(StepAction::PowerCycleNode, node)
                .run(&self.ipmi)
                .await
                .unwrap();
            let mut second = self
                .step(StepAction::IdentifyNode, node)
                .fact("known", false);
            assert_eq!(second.run(&self.maas).await.unwrap().facts["known"], true);
        }
        self.step(StepAction::ConfigureHardware, node)
            .run(&self.maas)
            .await
            .unwrap();
    }

    /// Networks and everything else of the site.
    pub async fn prepare_site(&self) {
        for action in [
            StepAction::CreateNetworkTemplate,
            StepAction::ConfigureUserCredentials,
            StepAction::ConfigureNodeProvisioner,
        ] {
            self.site_step(action).run(&self.maas).await.unwrap();
        }
    }

    pub fn site_step(&self, action: StepAction) -> Step {
        Step::new(action, &self.design, None)
    }

    /// Runs the step and then a second one like it, which must change nothing.
    pub async fn twice(&self, driver: &dyn Driver, make: impl Fn() -> Step) -> Step {
        let mut first = make();
        first.run(driver).await.unwrap();
        let since = self.world.call_log().last_seq();
        let mut second = make();
        second.cx.boot_keys = Arc::clone(&first.cx.boot_keys);
        second.run(driver).await.unwrap();
        assert_eq!(
            second.verbs(),
            [] as [&str; 0],
            "a second run changes nothing"
        );
        assert_eq!(
            self.writes(since),
            [] as [String; 0],
            "a second run writes nothing"
        );
        first
    }

    /// Writes to MaaS after this entry of the log.
    pub fn writes(&self, since: u64) -> Vec<String> {
        self.world
            .call_log()
            .since(since)
            .iter()
            .filter_map(write)
            .collect()
    }

    /// Commands that the BMC of a node took from outside.
    pub fn bmc_commands(&self, node: &str) -> Vec<String> {
        let log = self.world.call_log().since(0);
        let ours = log.iter().filter_map(|entry| match &entry.call {
            Call::Bmc {
                machine,
                origin: drydock_sim::Origin::Bmc,
                command,
                ..
            } if machine == node => Some(command.clone()),
            _ => None,
        });
        ours.collect()
    }

    pub async fn stop(self) {
        self.ipmi.shutdown().await;
        self.world.stop().await;
    }
}

fn write(entry: &Entry) -> Option<String> {
    match &entry.call {
        Call::Maas {
            method, path, op, ..
        } if method != "GET" => Some(format!("{method} {path} {}", op.as_deref().unwrap_or(""))),
        _ => None,
    }
}

pub fn maas_settings(world: &World) -> MaasSettings {
    let mut settings = MaasSettings::new(
        world.maas_url().parse().unwrap(),
        world.maas_api_key().into(),
    );
    settings.poll = Duration::from_millis(50);
    settings
}

pub fn maas_driver(world: &World) -> MaasDriver {
    MaasDriver::new(maas_settings(world), loopback()).unwrap()
}

pub fn ipmi_settings(world: &World) -> IpmiSettings {
    IpmiSettings {
        port: world.bmc_port(),
        gap_floor: Duration::from_millis(1),
        gap_ceiling: Duration::from_millis(50),
        timeout: Duration::from_millis(200),
        retries: 2,
        state_timeout: Duration::from_secs(3),
        settle_after_reset: Duration::from_secs(1),
        poll: Duration::from_millis(20),
        ..IpmiSettings::default()
    }
}

/// A fault of MaaS that hits this many requests.
pub fn maas_fault(
    path: &str,
    method: &str,
    op: Option<&str>,
    status: u16,
    after_work: bool,
    times: u32,
) -> MaasFault {
    MaasFault {
        path_prefix: path.to_owned(),
        method: Some(method.to_owned()),
        op: op.map(str::to_owned),
        remaining: Some(times),
        status: Some(status),
        after_work,
        ..MaasFault::default()
    }
}

pub fn machine(block: u8, index: u8) -> MachineShape {
    MachineShape {
        name: format!("n{index}"),
        bmc: BmcKind::Ipmi,
        bmc_address: bmc(block, index),
        bmc_port: None,
        bmc_user: "admin".into(),
        bmc_password: PASSWORD.to_owned().into(),
        nics: (1..=3)
            .map(|nic| NicShape {
                name: format!("eno{nic}"),
                mac: mac(block, index, nic),
                pci_address: format!("0000:00:{nic:02}.0"),
            })
            .collect(),
        boot_nic: 0,
        disks: vec![
            DiskShape {
                name: "sda".into(),
                size_bytes: 480_000_000_000,
                address: "0:0.0.0".into(),
            },
            DiskShape {
                name: "sdb".into(),
                size_bytes: 960_000_000_000,
                address: "0:1.0.0".into(),
            },
        ],
        cpu_count: 8,
        memory_mib: 65_536,
        powered_on: false,
    }
}

fn network(name: &str, vlan: Option<u16>, cidr: &str) -> Network {
    Network {
        name: name.into(),
        labels: Default::default(),
        vlan,
        mtu: None,
        cidr: cidr.parse().unwrap(),
        routedomain: None,
        ranges: Vec::new(),
        routes: Vec::new(),
        dns_domain: None,
        dns_servers: Vec::new(),
        dhcp_relay: None,
    }
}

fn link(name: &str, mtu: u32, networks: &[&str]) -> Link {
    Link {
        name: name.into(),
        labels: Default::default(),
        bonding: Bonding::default(),
        mtu,
        linkspeed: None,
        trunked: networks.len() > 1,
        default_network: networks.first().map(|name| (*name).to_owned()),
        allowed_networks: networks.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A site with a PXE network that has DHCP, a management network with a gateway, and a tagged private one.
pub fn design(block: u8, nodes: u8) -> EffectiveDesign {
    let mut pxe = network("pxe", None, "172.16.0.0/24");
    pxe.ranges = vec![
        Range {
            kind: RangeKind::Dhcp,
            start: "172.16.0.100".parse().unwrap(),
            end: "172.16.0.250".parse().unwrap(),
        },
        Range {
            kind: RangeKind::Reserved,
            start: "172.16.0.1".parse().unwrap(),
            end: "172.16.0.9".parse().unwrap(),
        },
    ];
    pxe.dns_domain = Some("admin.site.example".into());
    let mut mgmt = network("mgmt", None, "172.16.1.0/24");
    mgmt.routes = vec![Route {
        destination: "0.0.0.0/0".parse().unwrap(),
        gateway: Some("172.16.1.1".parse().unwrap()),
        metric: 10,
    }];
    mgmt.dns_servers = vec!["172.16.1.9".into(), "172.16.1.10".into()];
    let private = network("private", Some(101), "172.16.2.0/24");
    let mut gp = link("gp", 9000, &["mgmt", "private"]);
    gp.bonding = Bonding {
        mode: BondMode::Lacp,
        hash: Some("layer3+4".into()),
        peer_rate: Some("slow".into()),
        mon_rate: Some(100),
        up_delay: Some(200),
        down_delay: Some(200),
    };
    EffectiveDesign {
        digest: Digest("00".repeat(32)),
        site: Site {
            name: "site".into(),
            authorized_keys: vec![format!(
                "ssh-rsa {} sample",
                "AAAAB3NzaC1yc2EAAAADAQABAAABAQ".repeat(4)
            )],
            repositories: vec![Repository {
                name: "docker".into(),
                repo_type: "apt".into(),
                url: "https://docker.example/repo".into(),
                distributions: vec!["jammy".into()],
                components: Some(vec!["stable".into()]),
                arches: Some(vec!["amd64".into()]),
                ..Repository::default()
            }],
            remove_unlisted_repositories: true,
        },
        racks: Vec::new(),
        links: vec![link("pxe", 1500, &["pxe"]), gp],
        networks: vec![pxe, mgmt, private],
        nodes: (1..=nodes)
            .map(|index| Arc::new(node(block, index)))
            .collect(),
        boot_actions: Vec::new(),
    }
}

/// Root, boot and the rest on sda; a volume group on sdb.
fn storage() -> Storage {
    let disk = |name: &str, group: Option<&str>, partitions| PhysicalDevice {
        device: Device {
            name: name.into(),
            alias: None,
        },
        labels: Default::default(),
        volume_group: group.map(str::to_owned),
        partitions,
    };
    let partition = |name: &str, size, mount: &str, fstype: &str| Partition {
        name: name.into(),
        size,
        bootable: false,
        part_uuid: None,
        volume_group: None,
        filesystem: Some(filesystem(mount, fstype)),
    };
    Storage {
        devices: vec![
            disk(
                "sda",
                None,
                vec![
                    partition("root", Size::Bytes(20_000_000_000), "/", "xfs"),
                    partition("boot", Size::Bytes(1_000_000_000), "/boot", "ext4"),
                    partition("var", Size::AtLeast(1_000_000_000), "/var", "xfs"),
                ],
            ),
            disk("sdb", Some("log_vg"), Vec::new()),
        ],
        volume_groups: vec![VolumeGroup {
            name: "log_vg".into(),
            vg_uuid: None,
            logical_volumes: vec![LogicalVolume {
                name: "log_lv".into(),
                lv_uuid: None,
                size: Size::Percent(10),
                filesystem: Some(filesystem("/var/log", "xfs")),
            }],
        }],
    }
}

fn filesystem(mount: &str, fstype: &str) -> Filesystem {
    Filesystem {
        mountpoint: Some(mount.into()),
        fstype: fstype.into(),
        mount_options: "defaults".into(),
        fs_uuid: None,
        fs_label: None,
    }
}

fn fixed(network: u8, index: u8) -> Address {
    Address::Static(Ipv4Addr::new(172, 16, network, 20 + index).into())
}

fn interface(
    name: &str,
    link: &str,
    devices: &[(&str, Option<&str>)],
    networks: &[&str],
) -> Interface {
    let device = |(name, pci): &(&str, Option<&str>)| Device {
        name: (*name).to_owned(),
        alias: pci.map(|address| DeviceAlias {
            bus_type: "pci".into(),
            address: address.to_owned(),
            dev_type: None,
        }),
    };
    Interface {
        name: name.into(),
        link: link.into(),
        labels: Default::default(),
        slaves: devices.iter().map(device).collect(),
        networks: networks.iter().map(|name| (*name).to_owned()).collect(),
        sriov: None,
    }
}

fn node(block: u8, index: u8) -> Node {
    Node {
        name: format!("n{index}"),
        domain: "mgmt.site.example".into(),
        profiles: Vec::new(),
        rack: None,
        tags: vec!["compute".into(), "deployment=initial".into()],
        owner_data: [("beta.kubernetes.io/role".to_owned(), "compute".to_owned())].into(),
        hardware: None,
        oob: Oob {
            kind: "ipmi".into(),
            network: Some("oob".into()),
            address: Some(bmc(block, index)),
            port: None,
            account: Some("admin".into()),
            credential: Some(PASSWORD.to_owned().into()),
            params: Default::default(),
        },
        boot_mac: Some(mac(block, index, 1)),
        interfaces: vec![
            interface("pxe", "pxe", &[("eno1", None)], &["pxe"]),
            interface(
                "bond0",
                "gp",
                &[
                    ("nic1", Some("0000:00:02.0")),
                    ("nic2", Some("regexp:0000:00:03")),
                ],
                &["mgmt", "private"],
            ),
        ],
        addressing: vec![
            Addressing {
                network: "pxe".into(),
                address: Address::Dhcp,
            },
            Addressing {
                network: "mgmt".into(),
                address: fixed(1, index),
            },
            Addressing {
                network: "private".into(),
                address: fixed(2, index),
            },
        ],
        primary_network: Some("mgmt".into()),
        storage: storage(),
        platform: Platform {
            image: Some("jammy".into()),
            kernel: Some("ga-22.04".into()),
            kernel_params: [
                ("console".to_owned(), "ttyS1".to_owned()),
                ("quiet".to_owned(), String::new()),
            ]
            .into(),
        },
        boot_actions: Vec::new(),
    }
}
