//! Our requests as the transport that the client crate asks for.
//!
//! The crate brings its table of platform repairs, the types of documents and the meaning of answers; sessions, TLS, limits and pace stay
//! ours. It streams events and uploads firmware, too, which this driver does not.

use std::sync::Arc;

use nv_redfish::core::query::ExpandQuery;
use nv_redfish::core::repair::decode_raw;
use nv_redfish::core::{
    Action, AsyncTask, Bmc, BoxTryStream, EntityTypeRef, Expandable, FilterQuery,
    HttpPushUriUpdateRequest, ModificationResponse, MultipartUpdateRequest, ODataETag, ODataId,
    Raw, Repair, RepairError, SessionCreateResponse, UploadReader,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::trouble::Trouble;
use super::wire::{Answer, Wire};

/// The way to one BMC, as the client crate sees it.
#[derive(Clone)]
pub(super) struct Transport(pub(super) Arc<Wire>);

impl Transport {
    async fn read<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<Arc<T>, Trouble> {
        let answer = self.0.send(Method::GET, path, None, None).await?;
        T::deserialize(answer.body)
            .map(Arc::new)
            .map_err(|error| Trouble::Garbage(error.to_string()))
    }

    async fn write<V: Serialize + Sync, R: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&V>,
        etag: Option<&ODataETag>,
    ) -> Result<ModificationResponse<R>, Trouble> {
        let body = body
            .map(serde_json::to_value)
            .transpose()
            .map_err(|error| Trouble::Garbage(error.to_string()))?;
        let etag = etag.map(ToString::to_string);
        let answer = self
            .0
            .send(method, path, body.as_ref(), etag.as_deref())
            .await?;
        Ok(meaning(answer))
    }
}

/// What an answer to a change means (DSP0266, sections "Modification success responses" and "Asynchronous operations").
fn meaning<R: for<'de> Deserialize<'de>>(answer: Answer) -> ModificationResponse<R> {
    let id = answer.body["@odata.id"].as_str().map(str::to_owned);
    if answer.status == 202 {
        // Some accept a change and name no task: then there is nothing to follow.
        let task = id.map(ODataId::from);
        let monitor = answer.body["TaskMonitor"].as_str().map(str::to_owned);
        let location = answer.location.or(monitor).map(ODataId::from);
        return match location.or_else(|| task.clone()) {
            None => ModificationResponse::Empty,
            Some(location) => ModificationResponse::Task(AsyncTask {
                location: location.into(),
                retry_after: answer.retry_after,
                task,
            }),
        };
    }
    if answer.body.is_null() {
        return ModificationResponse::Empty;
    }
    let entity = id.and_then(|_| R::deserialize(&answer.body).ok());
    entity.map_or_else(
        || ModificationResponse::Message(answer.body),
        ModificationResponse::Entity,
    )
}

fn not_spoken(what: &str) -> Trouble {
    Trouble::Unsupported(format!("this driver does not speak of {what}"))
}

impl Bmc for Transport {
    type Error = Trouble;

    async fn expand<T: Expandable>(
        &self,
        id: &ODataId,
        query: ExpandQuery,
    ) -> Result<Arc<T>, Trouble> {
        self.read(&format!("{id}?{}", query.to_query_string()))
            .await
    }

    async fn get<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
    ) -> Result<Arc<T>, Trouble> {
        self.read(&id.to_string()).await
    }

    async fn filter<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
        query: FilterQuery,
    ) -> Result<Arc<T>, Trouble> {
        self.read(&format!("{id}?{}", query.to_query_string()))
            .await
    }

    async fn get_repaired<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<Trouble>> {
        decode_raw(self.get::<Raw>(id).await, repair)
    }

    async fn expand_repaired<T: Expandable>(
        &self,
        id: &ODataId,
        query: ExpandQuery,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<Trouble>> {
        decode_raw(self.expand::<Raw>(id, query).await, repair)
    }

    async fn filter_repaired<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
        query: FilterQuery,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<Trouble>> {
        decode_raw(self.filter::<Raw>(id, query).await, repair)
    }

    async fn create<V: Send + Sync + Serialize, R: Send + Sync + for<'de> Deserialize<'de>>(
        &self,
        id: &ODataId,
        query: &V,
    ) -> Result<ModificationResponse<R>, Trouble> {
        self.write(Method::POST, &id.to_string(), Some(query), None)
            .await
    }

    async fn create_session<
        V: Send + Sync + Serialize,
        R: Send + Sync + for<'de> Deserialize<'de>,
    >(
        &self,
        _id: &ODataId,
        _query: &V,
    ) -> Result<SessionCreateResponse<R>, Trouble> {
        Err(not_spoken("sessions of its own; the connection has one"))
    }

    async fn update<
        V: Sync + Send + Serialize,
        R: Send + Sync + Sized + for<'de> Deserialize<'de>,
    >(
        &self,
        id: &ODataId,
        etag: Option<&ODataETag>,
        update: &V,
    ) -> Result<ModificationResponse<R>, Trouble> {
        // Without a tag any state will do; the crate counts on it where a service refuses its own tags.
        let any = ODataETag::from("*".to_owned());
        let etag = etag.unwrap_or(&any);
        self.write(Method::PATCH, &id.to_string(), Some(update), Some(etag))
            .await
    }

    async fn delete<R: EntityTypeRef + for<'de> Deserialize<'de>>(
        &self,
        id: &ODataId,
    ) -> Result<ModificationResponse<R>, Trouble> {
        self.write::<Value, R>(Method::DELETE, &id.to_string(), None, None)
            .await
    }

    async fn action<
        T: Send + Sync + Serialize,
        R: Send + Sync + Sized + for<'de> Deserialize<'de>,
    >(
        &self,
        action: &Action<T, R>,
        params: &T,
    ) -> Result<ModificationResponse<R>, Trouble> {
        self.write(Method::POST, action.target.as_str(), Some(params), None)
            .await
    }

    async fn poll<R: Send + Sync + Sized + for<'de> Deserialize<'de>>(
        &self,
        uri: &ODataId,
    ) -> Result<ModificationResponse<R>, Trouble> {
        self.0
            .send(Method::GET, &uri.to_string(), None, None)
            .await
            .map(meaning)
    }

    async fn multipart_update<U, V, R>(
        &self,
        _uri: &str,
        _request: MultipartUpdateRequest<'_, U, V>,
    ) -> Result<ModificationResponse<R>, Trouble>
    where
        U: UploadReader,
        R: Send + Sync + for<'de> Deserialize<'de>,
        V: Send + Sync + Serialize,
    {
        Err(not_spoken("firmware updates"))
    }

    async fn http_push_uri_update<U, R>(
        &self,
        _uri: &str,
        _request: HttpPushUriUpdateRequest<U>,
    ) -> Result<ModificationResponse<R>, Trouble>
    where
        U: UploadReader,
        R: Send + Sync + for<'de> Deserialize<'de>,
    {
        Err(not_spoken("firmware updates"))
    }

    async fn stream<T: Sized + for<'de> Deserialize<'de> + Send + 'static>(
        &self,
        _uri: &str,
    ) -> Result<BoxTryStream<T, Trouble>, Trouble> {
        Err(not_spoken("event streams"))
    }
}
