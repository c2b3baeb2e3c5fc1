//! Communities and newsletters through the real client.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::{ALICE, BOB, CAROL, network, network_of_three, paired, text, wait_for};
use wacore_binary::Jid;
use whatsapp_rust::features::{CreateCommunityOptions, GroupType, MemberLinkMode, NewsletterRole, group_type};
use whatsapp_rust::types::events::Event;

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_linked_to_a_community_and_taken_off() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let community = client.community();
    let parent = community.create(CreateCommunityOptions::new("Village")).await.unwrap().metadata;
    assert_eq!(group_type(&parent), GroupType::Community);
    let subgroups = community.get_subgroups(&parent.id).await.unwrap();
    assert_eq!(subgroups.len(), 2, "{subgroups:?}");
    assert!(subgroups.iter().any(|group| group.is_default_sub_group));
    assert!(subgroups.iter().any(|group| group.is_general_chat));

    let group: Jid = net.create_group(ALICE, "Choir", &[BOB], None).await.unwrap().parse().unwrap();
    let theirs: Jid = net.create_group(BOB, "Theirs", &[CAROL], None).await.unwrap().parse().unwrap();
    let linked = community.link_subgroups(&parent.id, &[group.clone(), theirs.clone()]).await.unwrap();
    assert_eq!(linked.linked_jids, std::slice::from_ref(&group));
    assert_eq!(linked.failed_groups, [(theirs, 403)]);
    assert_eq!(community.get_subgroups(&parent.id).await.unwrap().len(), 3);
    let counts = community.get_subgroup_participant_counts(&parent.id).await.unwrap();
    assert!(counts.contains(&(group.clone(), 2)));
    let seen = community.query_linked_group(&parent.id, &group).await.unwrap();
    assert_eq!((seen.subject.as_str(), seen.parent_group_jid.as_ref()), ("Choir", Some(&parent.id)));
    let members = community.get_linked_groups_participants(&parent.id).await.unwrap();
    assert_eq!(members.len(), 2);
    assert_eq!(community.get_participating().await.unwrap().len(), 1);
    // Whoever is in a linked group is in the community.
    assert_eq!(net.group(&parent.id.to_string()).await.unwrap().participants.len(), 2);

    let off = community.unlink_subgroups(&parent.id, std::slice::from_ref(&group), false).await.unwrap();
    assert_eq!(off.unlinked_jids, std::slice::from_ref(&group));
    assert_eq!(net.group(&group.to_string()).await.unwrap().community, None);
    client.groups().set_member_link_mode(&group, MemberLinkMode::AllMemberLink).await.unwrap();
    net.group_invite(BOB, &group.to_string(), false).await.expect("all members see the code now");
    community.deactivate(&parent.id).await.unwrap();
    assert_eq!(net.group(&parent.id.to_string()).await.unwrap_err().status(), 404);
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newsletter_is_followed_and_reacted_to() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let newsletters = client.newsletter();
    let id: Jid = net.create_newsletter("Daily", BOB).await.unwrap().parse().unwrap();
    let first = net.post_newsletter(&id.to_string(), "the first").await.unwrap();
    assert!(newsletters.list_subscribed().await.unwrap().is_empty());
    let joined = newsletters.join(&id).await.unwrap();
    assert_eq!((joined.name.as_str(), joined.role), ("Daily", Some(NewsletterRole::Subscriber)));
    assert_eq!(newsletters.list_subscribed().await.unwrap().len(), 1);
    let invite = joined.invite_code.unwrap();
    assert_eq!(newsletters.get_metadata_by_invite(&invite).await.unwrap().jid, id);
    assert_eq!(newsletters.get_metadata(&id).await.unwrap().subscriber_count, 1);

    net.post_newsletter(&id.to_string(), "the second").await.unwrap();
    alice
        .event("the post", |event| match event {
            Event::Messages(batch) => {
                batch.iter().any(|one| one.message.conversation.as_deref() == Some("the second")).then_some(())
            }
            _ => None,
        })
        .await;
    let posts = newsletters.get_messages(&id, 10, None).await.unwrap();
    let texts: Vec<_> = posts.iter().filter_map(|post| post.message.as_ref()?.conversation.clone()).collect();
    assert_eq!(texts, ["the first", "the second"]);
    assert_eq!(newsletters.get_messages(&id, 10, Some(first + 1)).await.unwrap().len(), 1);

    newsletters.send_reaction(&id, first, "👏").await.unwrap();
    wait_for("the reaction", async || {
        let shown = net.newsletter(&id.to_string()).await.unwrap();
        (shown.posts[0].reactions.get(ALICE).map(String::as_str) == Some("👏")).then_some(())
    })
    .await;
    alice
        .event("the live update", |event| match event {
            Event::NewsletterLiveUpdate(update) => (update.newsletter_jid == id).then_some(()),
            _ => None,
        })
        .await;
    newsletters.leave(&id).await.unwrap();
    assert!(newsletters.list_subscribed().await.unwrap().is_empty());
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_posts_from_a_companion() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let made = client.newsletter().create("Mine", Some("All about me")).await.unwrap();
    assert_eq!(made.role, Some(NewsletterRole::Owner));
    client.send_message(made.jid.clone(), text("dear all")).await.unwrap();
    let shown = wait_for("the post", async || {
        let shown = net.newsletter(&made.jid.to_string()).await.unwrap();
        shown.posts.first().map(|post| (post.id.clone(), post.text.clone()))
    })
    .await;
    assert_eq!(shown.1, "dear all");
    client.newsletter().edit_message(&made.jid, shown.0, text("dear everybody")).await.unwrap();
    wait_for("the edit", async || {
        let shown = net.newsletter(&made.jid.to_string()).await.unwrap();
        (shown.posts[0].text == "dear everybody").then_some(())
    })
    .await;
    alice.stop().await;
}
