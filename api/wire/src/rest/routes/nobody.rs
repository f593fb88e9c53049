//! A control plane that cannot exist: the routes' description needs a type, never a value.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::{Answer, Context, ControlPlane, LiveEvent, Opened, Page, Rendered, Topic};
use super::Nobody;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use rialto_types::api::{
    Convergence, DrainResult, ExplainRequest, Explanation, History, HistoryEntry, List,
    Precondition, ShiftRequest, Status, WatchEvent, Written,
};
use rialto_types::cluster::{JoinTokenIssued, JoinTokenRequest};
use rialto_types::id::{ClusterName, Namespace, Revision, ServiceName};
use rialto_types::object::{Document, Key, Kind, Resource};
use rialto_types::session::{Session, SignIn, SignInCode};
use rialto_types::traffic::{self, Traffic};
use rialto_types::view;

impl ControlPlane for Nobody {
    fn authenticate(&self, _: &str) -> Option<String> {
        match *self {}
    }
    fn session(&self, _: &str) -> Option<Session> {
        match *self {}
    }
    fn sign_in(&self, _: &SignIn, _: IpAddr) -> Answer<Opened> {
        match *self {}
    }
    async fn sign_out(&self, _: &Session) -> Answer<()> {
        match *self {}
    }
    fn signed_out(&self, _: Session) -> BoxFuture<'static, ()> {
        match *self {}
    }
    fn create_code(&self, _: String) -> Answer<SignInCode> {
        match *self {}
    }
    async fn get(&self, _: Key) -> Answer<Document> {
        match *self {}
    }
    async fn list(&self, _: Kind, _: Option<Namespace>, _: Page) -> Answer<List> {
        match *self {}
    }
    async fn put(&self, _: Resource, _: Precondition, _: Context) -> Answer<Written> {
        match *self {}
    }
    async fn delete(&self, _: Key, _: Precondition, _: Context) -> Answer<Written> {
        match *self {}
    }
    async fn watch(
        &self,
        _: Kind,
        _: Option<Namespace>,
        _: Option<Revision>,
    ) -> Answer<BoxStream<'static, WatchEvent>> {
        match *self {}
    }
    async fn history(&self, _: usize) -> Answer<History> {
        match *self {}
    }
    async fn revert(&self, _: Revision, _: Context) -> Answer<HistoryEntry> {
        match *self {}
    }
    async fn create_token(&self, _: JoinTokenRequest, _: Context) -> Answer<JoinTokenIssued> {
        match *self {}
    }
    async fn drain(&self, _: ClusterName, _: bool, _: Context) -> Answer<DrainResult> {
        match *self {}
    }
    async fn shift(&self, _: ServiceName, _: ShiftRequest, _: Context) -> Answer<Written> {
        match *self {}
    }
    async fn status(&self) -> Answer<Status> {
        match *self {}
    }
    async fn convergence(&self, _: Option<Revision>) -> Answer<Convergence> {
        match *self {}
    }
    async fn view(&self, _: view::Query) -> Answer<Arc<Rendered>> {
        match *self {}
    }
    fn live(&self, _: Vec<Topic>) -> Answer<BoxStream<'static, LiveEvent>> {
        match *self {}
    }
    async fn explain(&self, _: ExplainRequest) -> Answer<Explanation> {
        match *self {}
    }
    async fn traffic(&self, _: traffic::Query) -> Answer<Traffic> {
        match *self {}
    }
}
