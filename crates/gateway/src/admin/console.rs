//! The way from the command line into the console.

use bartizan_core::{Deed, TenantId};
use bartizan_guard::deed;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{AdminError, Answer, Call, Need, Operation};

/// A secret that opens one session of the console.
#[derive(Debug, Serialize, JsonSchema)]
struct Ticket {
    /// The secret; it can be used once, within two minutes.
    ticket: String,
    /// Where the console is, for a browser on this machine.
    address: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation {
        method: Method::POST,
        path: "/admin/v1/console/tickets",
        id: "createConsoleTicket",
        summary: "A secret that opens one session of the console; over the local socket only",
        need: Need::Change,
        query: &[],
        body: None,
        answer: |generator| generator.subschema_for::<Ticket>(),
        run: |call| Box::pin(run(call)),
    }]
}

async fn run(call: Call) -> Answer {
    if !call.operator.is_local() {
        let detail = "only the operator of this machine gets a ticket: sign in to the console with the key itself";
        return Err(AdminError::forbidden(detail.to_owned()));
    }
    let Some(sessions) = &call.shared.sessions else {
        return Err(AdminError::bad("this gateway has no console: set `enabled = true` in `[console]`".to_owned()));
    };
    let address = sessions.address().to_owned();
    // On record before anybody has it.
    let act = deed(Deed::TicketMade, &TenantId::sole(), call.operator.name()).about("console");
    call.shared.recorder.store().act(act).await?;
    let ticket = sessions.ticket(call.operator.at_console(), call.shared.access.now().steady);
    Ok(serde_json::to_value(Ticket { ticket: ticket.map_err(AdminError::bad)?, address })?)
}
