//! The question about one group. It is the library's, which overlooks who may
//! add members: on the wire that is bytes, and the library reads text alone.

use warest_model::group::Who;
use whatsapp_rust::wacore::iq::groups::{GroupInfoOutcome, GroupQueryIq};
use whatsapp_rust::wacore::iq::spec::IqSpec;
use whatsapp_rust::wacore::request::InfoQuery;
use whatsapp_rust::wacore_binary::{NodeContentRef, NodeRef};
use whatsapp_rust::{GroupMetadata, Jid};

pub(super) struct Query(GroupQueryIq);

impl Query {
    pub(super) fn new(group: &Jid) -> Self {
        Self(GroupQueryIq::new(group))
    }
}

impl IqSpec for Query {
    /// The group, and who may add members, if that is said.
    type Response = (GroupMetadata, Option<Who>);

    fn build_iq(&self) -> InfoQuery<'static> {
        self.0.build_iq()
    }

    fn parse_response(&self, response: &NodeRef<'_>) -> anyhow::Result<Self::Response> {
        let GroupInfoOutcome::Full(found) = self.0.parse_response(response)? else {
            anyhow::bail!("a group that was asked for in full is not described");
        };
        let mode = response.get_optional_child_by_tag(&["group", "member_add_mode"]);
        let adds = mode.and_then(|mode| match mode.content.as_ref()? {
            NodeContentRef::String(text) => who(text.as_bytes()),
            NodeContentRef::Bytes(bytes) => who(bytes),
            NodeContentRef::Nodes(_) => None,
        });
        Ok((GroupMetadata::from(*found), adds))
    }
}

fn who(mode: &[u8]) -> Option<Who> {
    match mode {
        b"admin_add" => Some(Who::Admins),
        b"all_member_add" => Some(Who::Everyone),
        _ => None,
    }
}
