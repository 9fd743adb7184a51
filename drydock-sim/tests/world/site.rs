//! A small site, a signed MaaS client, and hands for the machines' BMCs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drydock_ipmi::{BootDevice, BootMode, Client, Control, Persistence, Session, Target};
use drydock_sim::{
    BmcKind, Call, DiskShape, Faults, MachineFaults, MachineShape, NicShape, SiteShape, Timing,
    World,
};
use secrecy::SecretString;
use serde_json::Value;

/// Nothing here takes longer, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen within {DEADLINE:?}"))
}

/// Machine `n1` (and so on) of a site that lives on 127.`net`.0.x.
pub fn machine(net: u8, number: u8) -> MachineShape {
    MachineShape {
        name: format!("n{number}"),
        bmc: BmcKind::Ipmi,
        bmc_address: IpAddr::from([127, net, 0, number]),
        bmc_port: None,
        bmc_user: "root".into(),
        bmc_password: SecretString::from("calvin"),
        nics: (0..3)
            .map(|nic| NicShape {
                name: format!("eno{}", nic + 1),
                mac: format!("52:54:00:{net:02X}:{number:02x}:0{nic}"),
                pci_address: format!("0000:00:0{}.0", nic + 3),
            })
            .collect(),
        boot_nic: 0,
        disks: (0..2)
            .map(|disk| DiskShape {
                name: format!("sd{}", ["a", "b"][disk]),
                size_bytes: 480_000_000_000,
                address: format!("{}:0.0.0", disk + 2),
            })
            .collect(),
        cpu_count: 16,
        memory_mib: 65536,
        powered_on: false,
    }
}

pub struct Site {
    pub world: World,
    pub maas: Maas,
    net: u8,
}

/// What a request came back with.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    pub text: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The answer, which must be a success.
    pub fn good(&self) -> Value {
        assert!(self.status < 300, "{self:?}");
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }
}

/// A client of the simulated MaaS that signs every attempt afresh.
pub struct Maas {
    pub client: reqwest::Client,
    pub base: String,
    key: String,
}

impl Maas {
    pub fn header(&self, nonce: &str, timestamp: i64, secret: Option<&str>) -> String {
        let parts: Vec<&str> = self.key.split(':').collect();
        let secret = secret.unwrap_or(parts[2]);
        format!(
            "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"{}\", \
             oauth_token=\"{}\", oauth_signature=\"%26{secret}\", oauth_nonce=\"{nonce}\", oauth_timestamp=\"{timestamp}\"",
            parts[0], parts[1]
        )
    }

    pub fn signed(&self) -> String {
        let nonce = format!("{:032x}", rand::random::<u128>());
        self.header(&nonce, chrono::Utc::now().timestamp(), None)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Said {
        let answer = request.send().await.unwrap();
        Said {
            status: answer.status().as_u16(),
            text: answer.text().await.unwrap(),
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/2.0/{path}", self.base);
        self.client
            .request(method.parse().unwrap(), url)
            .header("Authorization", self.signed())
    }

    pub async fn get(&self, path: &str) -> Said {
        self.send(self.request("GET", path)).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Said {
        self.send(self.request("POST", path).form(form)).await
    }

    pub async fn put(&self, path: &str, form: &[(&str, &str)]) -> Said {
        self.send(self.request("PUT", path).form(form)).await
    }

    pub async fn delete(&self, path: &str) -> Said {
        self.send(self.request("DELETE", path)).await
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.request("GET", path).send().await.unwrap();
        answer.bytes().await.unwrap().to_vec()
    }
}

impl Site {
    pub async fn start(net: u8, machines: u8, faults: Faults) -> Site {
        let shape = SiteShape {
            machines: (1..=machines).map(|number| machine(net, number)).collect(),
            ..SiteShape::default()
        };
        Self::of(net, shape, faults).await
    }

    pub async fn of(net: u8, shape: SiteShape, faults: Faults) -> Site {
        let world = World::start(shape, Timing::INSTANT, faults).await.unwrap();
        let maas = Maas {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: world.maas_url(),
            key: world.maas_api_key(),
        };
        Site { world, maas, net }
    }

    pub fn target(&self, number: u8) -> Target {
        let address = IpAddr::from([127, self.net, 0, number]);
        let address = SocketAddr::new(address, self.world.bmc_port());
        let mut target = Target::new(address, "root", SecretString::from("calvin"));
        target.timeout = Duration::from_millis(500);
        target
    }

    pub async fn session(&self, number: u8) -> Session {
        Client::connect(self.target(number)).await.unwrap()
    }

    /// Sets network boot and switches on, by a real IPMI session.
    pub async fn boot_network(&self, number: u8) {
        let mut session = self.session(number).await;
        session
            .set_boot_device(BootDevice::Pxe, BootMode::Uefi, Persistence::Once)
            .await
            .unwrap();
        session.chassis_control(Control::On).await.unwrap();
        session.close().await.unwrap();
    }

    /// Waits until some node enters the status after number `seq` of the log, and gives its id.
    pub async fn node_enters_after(&self, seq: u64, status: &str) -> String {
        let log = self.world.call_log();
        let entered = log.wait_for(
            seq,
            |entry| matches!(&entry.call, Call::NodeStatus { to, .. } if to == status),
        );
        match within(status, entered).await.call {
            Call::NodeStatus { system_id, .. } => system_id,
            other => panic!("{other:?}"),
        }
    }

    /// Boots machine `number` into New and gives its id.
    pub async fn enlist(&self, number: u8) -> String {
        let seq = self.world.call_log().last_seq();
        self.boot_network(number).await;
        self.node_enters_after(seq, "New").await
    }

    pub async fn op(&self, id: &str, op: &str, form: &[(&str, &str)]) -> Said {
        self.maas
            .post(&format!("machines/{id}/?op={op}"), form)
            .await
    }

    /// Commissions a node, which must end in `end`.
    pub async fn commission(&self, id: &str, end: &str) {
        let seq = self.world.call_log().last_seq();
        self.op(id, "commission", &[]).await.good();
        self.node_enters_after(seq, end).await;
    }

    /// Allocates and deploys a Ready node, which must end in `end`.
    pub async fn deploy(&self, id: &str, end: &str) {
        let seq = self.world.call_log().last_seq();
        self.maas
            .post("machines/?op=allocate", &[("system_id", id)])
            .await
            .good();
        self.op(id, "deploy", &[("distro_series", "jammy")])
            .await
            .good();
        self.node_enters_after(seq, end).await;
    }

    pub async fn node(&self, id: &str) -> Value {
        self.maas.get(&format!("machines/{id}/")).await.good()
    }
}

/// One fault on machine `n1`.
pub fn broken(faults: MachineFaults) -> Faults {
    Faults {
        machines: [("n1".to_owned(), faults)].into(),
        ..Faults::default()
    }
}
