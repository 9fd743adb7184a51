//! The HTTP server that stands in for services a design refers to, and the window through which another process looks
//! into the world and breaks it.
//!
//! `GET /_sim/log?since=N`, `GET /_sim/machines`, `GET` and `PUT /_sim/faults`, `PUT /_sim/callback` (`{"url": ".."}`);
//! any other GET is answered with a small shell script.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{Data, Json, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::json;

use crate::call_log::Call;
use crate::error::SimError;
use crate::faults::Faults;
use crate::world::Inside;

#[derive(Debug, Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallBack {
    url: String,
}

/// Serves on `listener` until the server is stopped.
pub(crate) fn serve(listener: TcpListener, inside: Arc<Inside>) -> Result<Server, SimError> {
    let inside = Data::from(inside);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(inside.clone())
            .route("/_sim/log", web::get().to(log))
            .route("/_sim/machines", web::get().to(machines))
            .route("/_sim/faults", web::get().to(faults))
            .route("/_sim/faults", web::put().to(set_faults))
            .route("/_sim/callback", web::put().to(set_call_back))
            .default_service(web::to(script))
    });
    let bound = server
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)
        .map_err(|source| SimError::Http {
            what: "stand-in server",
            source,
        })?;
    Ok(bound.run())
}

async fn log(query: Query<Since>, inside: Data<Inside>) -> HttpResponse {
    HttpResponse::Ok().json(inside.log.since(query.since))
}

async fn machines(inside: Data<Inside>) -> HttpResponse {
    HttpResponse::Ok().json(inside.machine_states())
}

async fn faults(inside: Data<Inside>) -> HttpResponse {
    HttpResponse::Ok().json(inside.faults.get())
}

async fn set_faults(faults: Json<Faults>, inside: Data<Inside>) -> HttpResponse {
    match inside.set_faults(faults.into_inner()) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => HttpResponse::BadRequest().json(json!({"message": error.to_string()})),
    }
}

async fn set_call_back(call_back: Json<CallBack>, inside: Data<Inside>) -> HttpResponse {
    match inside.set_call_back(&call_back.url) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => HttpResponse::BadRequest().json(json!({"message": error.to_string()})),
    }
}

async fn script(request: HttpRequest, inside: Data<Inside>) -> HttpResponse {
    let host = request.connection_info().host().to_owned();
    let path = request.path().to_owned();
    let get = request.method() == actix_web::http::Method::GET;
    let mut response = if get {
        HttpResponse::Ok()
    } else {
        HttpResponse::MethodNotAllowed()
    };
    inside.log.push(Call::StandIn {
        method: request.method().to_string(),
        host: host.clone(),
        path: path.clone(),
        status: if get { 200 } else { 405 },
    });
    if get {
        // Quoted for the shell, so that no path can end the quotation.
        let quoted = format!("{host}{path}").replace('\'', "'\\''");
        let body =
            format!("#!/bin/sh\n# The simulator stands in for this service.\necho '{quoted}'\n");
        response
            .content_type("text/x-shellscript; charset=utf-8")
            .body(body)
    } else {
        response.insert_header(("Allow", "GET"));
        response.finish()
    }
}
