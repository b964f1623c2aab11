use super::*;

fn responder() -> Arc<Responder> {
    let node = NodeId::random();
    Arc::new(Responder::new(node, Arc::new(Neighbours::new(node, None))))
}

#[test]
fn a_question_is_answered_once_at_a_time() {
    let (responder, a, b) = (responder(), NodeId::random(), NodeId::random());
    let begin = |from, number| Answering::begin(&responder, from, number);
    let first = begin(a, 1);
    assert!(first.is_some());
    assert!(begin(a, 1).is_none(), "it is being answered");
    assert!(begin(a, 2).is_some() && begin(b, 1).is_some());
    drop(first);
    assert!(begin(a, 1).is_some(), "its answer may have been lost");
}

/// Its sender asks again, under the same number.
#[tokio::test]
async fn a_question_over_the_limit_can_be_asked_again() {
    let responder = responder();
    let (from, number) = (NodeId::random(), 7);
    let body = Body::Question(Question::ForgetCache);
    let message = Message {
        from,
        trace: None,
        number,
        body,
    }
    .write()
    .unwrap();
    let answering = || responder.answering.lock().unwrap().len();
    let all = u32::try_from(QUESTIONS_MAX).unwrap();
    let room = responder.room.acquire_many(all).await.unwrap();
    take_up(&responder, &message);
    assert_eq!(answering(), 0);
    drop(room);
    take_up(&responder, &message);
    assert_eq!(answering(), 1);
    // This node has no sessions yet, so the question ends at once.
    while answering() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(responder.room.available_permits(), QUESTIONS_MAX);
}
