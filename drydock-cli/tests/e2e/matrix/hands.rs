//! The operator's hands: what is asked for is done with a tool of the operator's own, once, and confirmed.

use std::net::SocketAddr;
use std::time::Duration;

use drydock_ipmi::{BootDevice, BootMode, Client, Control, Persistence, Session, Target};
use drydock_model::id::TaskId;
use drydock_model::operator::OperatorAnswer;
use drydock_model::step::StepAction;

use super::site::Site;

async fn session(site: &Site) -> Session {
    let oob = &site.node.oob;
    let address = oob.address.expect("an address");
    let target = Target::new(
        SocketAddr::new(address, site.world.bmc_port()),
        oob.account.clone().expect("an account"),
        oob.credential.clone().expect("a password"),
    );
    Client::connect(target).await.expect("a session")
}

async fn switch(session: &mut Session, on: bool) {
    let control = if on { Control::On } else { Control::Off };
    session.chassis_control(control).await.expect("a switch");
    // A machine that was switched on may be off again before anybody looks.
    while !on && session.chassis_status().await.expect("a look").power_on {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn boot_from_network(session: &mut Session) {
    let (mode, once) = (BootMode::Uefi, Persistence::Once);
    let set = session.set_boot_device(BootDevice::Pxe, mode, once).await;
    set.expect("a boot device");
}

/// Does what the task asks for.
pub async fn lend(site: &Site, task: TaskId) {
    let requests = site.store.operator_requests(task).await;
    for request in requests.expect("requests") {
        if request.answer.is_some() {
            continue;
        }
        let mut session = session(site).await;
        match request.action {
            StepAction::SetNodeBoot => boot_from_network(&mut session).await,
            StepAction::PowerOffNode => switch(&mut session, false).await,
            StepAction::PowerOnNode => switch(&mut session, true).await,
            StepAction::PowerCycleNode => {
                switch(&mut session, false).await;
                boot_from_network(&mut session).await;
                switch(&mut session, true).await;
            }
            StepAction::InterrogateOob => {
                session.chassis_status().await.expect("a look");
            }
            other => panic!("nobody knows how to {other} by hand"),
        }
        session.close().await.expect("an end of the session");
        let answer = OperatorAnswer {
            done: true,
            message: String::new(),
            by: "hedy".into(),
            key: None,
        };
        let answered = site.store.answer_operator(request.step, &answer).await;
        answered.expect("an answer that is taken");
    }
}
