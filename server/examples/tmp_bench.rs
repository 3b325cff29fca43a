//! x
use mpc::ids::*; use mpc::sign::Signature; use sotto_server::storage::*; use sotto_server::storage::sqlite::SqliteStorage; use std::{sync::Arc, time::Instant}; use zeroize::Zeroizing;
fn rss() -> String { std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM")||l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ") }
fn cpu() -> f64 { let s=std::fs::read_to_string("/proc/self/stat").unwrap(); let f:Vec<_>=s.split(' ').collect(); (f[13].parse::<f64>().unwrap()+f[14].parse::<f64>().unwrap())/100.0 }
#[tokio::main]
async fn main() {
  let n: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
  let plen: usize = std::env::args().nth(2).unwrap().parse().unwrap();
  let d = tempfile::tempdir().unwrap();
  let s = Arc::new(SqliteStorage::open(&d.path().join("sotto.db")).unwrap());
  let id = StudyId([1;32]);
  s.insert_study(NewStudy{id, bytes: vec![1;2000], signature: Signature([1;64]), detail: Detail::default(), secrets: StudySecrets{contribution: Zeroizing::new([1;32]), salt_seed: Zeroizing::new([2;32]), verify_key: None}, now_ms: 1}).await.unwrap();
  s.transition(id, &[StudyState::Proposed], StudyState::Approved, Detail::default(), 2).await.unwrap();
  s.open_study(id, [3;32], 3).await.unwrap();
  println!("start {}", rss());
  let t = Instant::now(); let c = cpu();
  let ids: Arc<Vec<SubmissionId>> = Arc::new((0..n).map(|i| { let h = mpc::dst::hash(b"x", &[&i.to_be_bytes()]); SubmissionId(h[..16].try_into().unwrap()) }).collect());
  let mut js = tokio::task::JoinSet::new();
  for w in 0..64usize { let s = s.clone(); let ids = ids.clone(); js.spawn(async move {
    for i in (w..ids.len()).step_by(64) {
      let o = s.put_submission(id, NewSubmission{id: ids[i], public: vec![5;300], public_hash: PublicHash([7;32]), records: 1, payload: Zeroizing::new(vec![9;plen])}, PutLimits{max_records: 10_000_000, max_unverified: 10_000_000}).await.unwrap();
      assert_eq!(o, PutOutcome::Stored);
    } }); }
  js.join_all().await;
  println!("put {n}: {:.2?} cpu {:.2} -> {:.1} us/op {}", t.elapsed(), cpu()-c, (cpu()-c)*1e6/n as f64, rss());
  let t = Instant::now(); let c = cpu(); let mut after=None; let mut k=0;
  loop { let p = s.unverified(id, after, 512).await.unwrap(); let Some(l)=p.last() else {break}; after=Some(l.arrival); k+=p.len();
    let subs = s.submissions(id, &p.iter().map(|r| r.id).collect::<Vec<_>>()).await.unwrap(); assert!(subs.iter().all(Option::is_some));
    s.record_verdicts(id, p.iter().map(|r| (r.id, Verdict::Accepted{output_share: Zeroizing::new(vec![4;352]), verifier_share: vec![3;64]})).collect()).await.unwrap(); }
  println!("verify {k}: {:.2?} cpu {:.1} us/op {}", t.elapsed(), (cpu()-c)*1e6/n as f64, rss());
  let t = Instant::now(); let c = cpu(); let mut after=None; let mut k=0;
  loop { let p = s.output_shares(id, after, 512).await.unwrap(); let Some(l)=p.last() else {break}; after=Some(l.0); k+=p.len(); }
  println!("shares {k}: {:.2?} cpu {:.1} us/op {}", t.elapsed(), (cpu()-c)*1e6/n as f64, rss());
  let t = Instant::now(); let c = cpu();
  s.finish(id, Finish{to: StudyState::Published, detail: Detail::default(), outcome: vec![1;1000], rejected: 0, scrub: true, now_ms: 9}).await.unwrap();
  println!("scrub: {:.2?} cpu {:.1} us/op {}", t.elapsed(), (cpu()-c)*1e6/n as f64, rss());
  s.close().await;
  println!("file {} MB", std::fs::metadata(d.path().join("sotto.db")).unwrap().len()>>20);
}
