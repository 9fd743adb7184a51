//! A law: through a network that loses, doubles, delays and reorders, the client never reports a state that the BMC did not
//! have between request and answer, has nothing carried out twice, and ends in time.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_ipmi::bmc::{Account, Bmc, BmcConfig, Chassis, Faults, serve};
use drydock_ipmi::{Client, Control, DeviceId, Error, Session, Target};
use proptest::prelude::*;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// How long a try waits, and how many tries there are.
const TIMEOUT: Duration = Duration::from_millis(30);
const TRIES: u32 = 4;
/// What a busy test machine may add to a deadline.
const SLACK: Duration = Duration::from_millis(1500);

/// What happens on the way, each in a thousand, in both directions.
#[derive(Debug, Clone, Copy)]
struct Weather {
    loss: u64,
    doubling: u64,
    /// Each copy takes up to this long; longer than a try waits, so that answers come too late.
    delay_ms: u64,
    seed: u64,
}

/// Random numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

/// A machine that remembers when it was in which state, and that is switched by others too.
#[derive(Default)]
struct Machine(Mutex<History>);

#[derive(Default)]
struct History {
    power: Vec<(Instant, bool)>,
    flags: Vec<(Instant, [u8; 5])>,
    resets: u32,
}

/// Whether a history had this value at some moment between the two.
fn had<T: PartialEq + Copy + Default>(
    history: &[(Instant, T)],
    (from, to): (Instant, Instant),
    value: T,
) -> bool {
    let before = history.iter().rfind(|(at, _)| *at <= from);
    before.map(|(_, value)| *value).unwrap_or_default() == value
        || history
            .iter()
            .any(|(at, then)| *at >= from && *at <= to && *then == value)
}

impl Chassis for Machine {
    fn power_on(&self) -> bool {
        let history = self.0.lock().unwrap();
        history.power.last().is_some_and(|(_, on)| *on)
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        assert_eq!(control, Control::Reset);
        self.0.lock().unwrap().resets += 1;
        Ok(())
    }

    fn boot_flags(&self) -> [u8; 5] {
        let history = self.0.lock().unwrap();
        history
            .flags
            .last()
            .map(|(_, flags)| *flags)
            .unwrap_or_default()
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        self.0.lock().unwrap().flags.push((Instant::now(), flags));
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId::default()
    }
}

/// Passes datagrams on in one direction, as the weather allows.
async fn pass(
    from: Arc<UdpSocket>,
    to: Arc<UdpSocket>,
    weather: Weather,
    mut addresses: tokio::sync::watch::Receiver<Option<SocketAddr>>,
    learns: Option<tokio::sync::watch::Sender<Option<SocketAddr>>>,
) {
    let mut dice = Dice(weather.seed);
    let mut under_way = JoinSet::new();
    let mut buffer = [0; 1024];
    loop {
        while under_way.try_join_next().is_some() {}
        let Ok((len, peer)) = from.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(learns) = &learns {
            learns.send_replace(Some(peer));
        }
        let Some(goal) = *addresses.borrow_and_update() else {
            continue;
        };
        let copies = 1 + u64::from(dice.below(1000) < weather.doubling);
        for _ in 0..copies {
            if dice.below(1000) < weather.loss {
                continue;
            }
            let delay = Duration::from_millis(dice.below(weather.delay_ms + 1));
            let (to, datagram) = (Arc::clone(&to), buffer[..len].to_vec());
            under_way.spawn(async move {
                tokio::time::sleep(delay).await;
                let _ = to.send_to(&datagram, goal).await;
            });
        }
    }
}

/// A BMC behind such a network, with a machine that changes its power by itself.
struct World {
    machine: Arc<Machine>,
    target: Target,
    _tasks: JoinSet<()>,
}

impl World {
    async fn start(weather: Weather) -> World {
        let machine = Arc::new(Machine::default());
        let mut tasks = JoinSet::new();
        let config = BmcConfig::new(Account::administrator("admin", "secret".into()));
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let bmc_addr = socket.local_addr().unwrap();
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&weather.seed.to_le_bytes());
        let bmc = Bmc::new(config, machine.clone(), seed);
        tasks.spawn(async move {
            let _ = serve(socket, bmc, Faults::default(), std::future::pending()).await;
        });
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let target_addr = front.local_addr().unwrap();
        let (_keep, bmc_is_at) = tokio::sync::watch::channel(Some(bmc_addr));
        let (learns, console) = tokio::sync::watch::channel(None);
        tasks.spawn(pass(
            front.clone(),
            back.clone(),
            weather,
            bmc_is_at,
            Some(learns),
        ));
        let backwards = Weather {
            seed: !weather.seed,
            ..weather
        };
        tasks.spawn(pass(back, front, backwards, console, None));
        let flipped = Arc::clone(&machine);
        tasks.spawn(async move {
            let mut dice = Dice(weather.seed ^ 0xabcd);
            loop {
                tokio::time::sleep(Duration::from_millis(5 + dice.below(70))).await;
                let mut history = flipped.0.lock().unwrap();
                let on = history.power.last().is_some_and(|(_, on)| *on);
                history.power.push((Instant::now(), !on));
            }
        });
        let mut target = Target::new(target_addr, "admin", "secret".into());
        target.timeout = TIMEOUT;
        target.retries = TRIES - 1;
        World {
            machine,
            target,
            _tasks: tasks,
        }
    }

    /// Logs in; gives up after so many failures that no weather of this test explains them.
    async fn log_in(&self) -> Session {
        for _ in 0..50 {
            let begin = Instant::now();
            let outcome = Client::connect(self.target.clone()).await;
            in_time("login", begin, 6);
            match outcome {
                Ok(session) => return session,
                Err(Error::Timeout { .. } | Error::SessionLost { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no login in 50 tries");
    }

    /// One command, and what must hold of it. Tells whether it was answered.
    async fn step(&self, session: &mut Session, kind: u64, mark: u32) -> bool {
        let begin = Instant::now();
        match kind {
            0 => {
                let answer = session.chassis_status().await;
                in_time("status", begin, 1);
                let Some(status) = answered(answer) else {
                    return false;
                };
                let now = (begin, Instant::now());
                let history = self.machine.0.lock().unwrap();
                assert!(
                    had(&history.power, now, status.power_on),
                    "the power was never {} while it was asked for",
                    status.power_on
                );
            }
            1 => {
                let answer = session.boot_options().await;
                in_time("boot options", begin, 1);
                let Some(options) = answered(answer) else {
                    return false;
                };
                let now = (begin, Instant::now());
                let history = self.machine.0.lock().unwrap();
                assert!(
                    had(&history.flags, now, options.raw),
                    "flags that it had not while they were asked for: {:?}",
                    options.raw
                );
            }
            2 => {
                let [a, b, c, _] = mark.to_le_bytes();
                let flags = [0x80, 0x04, a, b, c];
                let answer = answered(session.set_boot_flags(flags).await);
                in_time("set boot flags", begin, 4);
                let history = self.machine.0.lock().unwrap();
                let times = history
                    .flags
                    .iter()
                    .filter(|(_, set)| *set == flags)
                    .count();
                assert!(answer.is_none() || times == 1, "set {times} times");
                return answer.is_some();
            }
            _ => {
                let before = self.machine.0.lock().unwrap().resets;
                let answer = answered(session.chassis_control(Control::Reset).await);
                in_time("reset", begin, 1);
                let after = self.machine.0.lock().unwrap().resets;
                assert!(
                    answer.is_none() || after > before,
                    "acknowledged and not done"
                );
                return answer.is_some();
            }
        }
        true
    }

    /// A run of commands. Gives how many were answered.
    async fn run(weather: Weather) -> u32 {
        let world = World::start(weather).await;
        let mut session = world.log_in().await;
        let mut dice = Dice(weather.seed ^ 0x5eed);
        let (mut answered, mut resets) = (0, 0);
        for mark in 1..=30 {
            // Mostly reads of what changes by itself, because a late answer to one looks like an answer to the next.
            let kind = dice.below(8).saturating_sub(4);
            resets += u32::from(kind == 3);
            answered += u32::from(world.step(&mut session, kind, mark).await);
        }
        // What was still under way arrives.
        tokio::time::sleep(Duration::from_millis(weather.delay_ms + 20)).await;
        let history = world.machine.0.lock().unwrap();
        assert!(
            history.resets <= resets,
            "{} resets of {resets}",
            history.resets
        );
        for (at, (_, flags)) in history.flags.iter().enumerate() {
            let first = history.flags.iter().position(|(_, other)| other == flags);
            assert_eq!(first, Some(at), "{flags:?} were set twice");
        }
        answered
    }
}

/// The answer; `None` where none came. Any other end is wrong in this test.
fn answered<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(answer) => Some(answer),
        Err(Error::Timeout { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Each message has its tries, and no call has more messages than this.
fn in_time(what: &str, begin: Instant, messages: u32) {
    let (took, limit) = (begin.elapsed(), TIMEOUT * TRIES * messages);
    assert!(took <= limit + SLACK, "{what} took {took:?} of {limit:?}");
}

fn weathers() -> impl Strategy<Value = Vec<Weather>> {
    let one = (0u64..200, 0u64..400, 0u64..90, any::<u64>()).prop_map(
        |(loss, doubling, delay_ms, seed)| Weather {
            loss,
            doubling,
            delay_ms,
            seed,
        },
    );
    proptest::collection::vec(one, 24)
}

proptest! {
    // Each case is two dozen worlds at a time, because worlds mostly wait.
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_reported_was_so(weathers in weathers()) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut worlds = JoinSet::new();
            for weather in weathers {
                worlds.spawn(async move { (weather, World::run(weather).await) });
            }
            let mut answered = 0;
            while let Some(outcome) = worlds.join_next().await {
                answered += outcome.unwrap().1;
            }
            // Nothing was proven where nothing was answered.
            assert!(answered > 24 * 15, "{answered} answers");
        });
    }
}
