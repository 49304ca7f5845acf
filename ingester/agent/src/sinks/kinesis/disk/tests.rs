use super::{
    super::{
        batches::{self, Pace, Request},
        spool::faulty,
    },
    *,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const LIMITS: Limits = Limits { spool: 1 << 20, window: 2000, spill_after: Duration::from_millis(500) };

/// The sink without its socket: the test is Kinesis.
struct Desk {
    faulty: faulty::Disk,
    disk: Disk,
    batches: Batches,
    incoming: VecDeque<Record>,
    on_the_way: Vec<Request>,
    /// What Kinesis has, repeats left out, by thread.
    stored: BTreeMap<String, Vec<u64>>,
    repeats: usize,
}

fn batches() -> Batches {
    Batches::new(batches::Limits { records: 5, bytes: 1 << 20, in_flight: 2, linger: Duration::ZERO })
}

fn record(thread: &str, name: u64) -> Record {
    sized(thread, name, 200)
}

fn sized(thread: &str, name: u64, size: usize) -> Record {
    let data = [&name.to_be_bytes()[..], &vec![0; size]].concat();
    Record::spooled(thread.into(), data.into(), Timestamp::UNIX_EPOCH, Instant::now())
}

fn name(record: &Record) -> u64 {
    u64::from_be_bytes(record.data[..8].try_into().unwrap())
}

impl Desk {
    async fn open(limits: Limits) -> Self {
        let faulty = faulty::Disk::default();
        let mut batches = batches();
        let disk = Disk::open(Storage::faulty(&faulty), limits, &mut batches).await.unwrap();
        let (incoming, on_the_way, stored) = (VecDeque::new(), Vec::new(), BTreeMap::new());
        Self { faulty, disk, batches, incoming, on_the_way, stored, repeats: 0 }
    }

    /// The process is gone, and another begins.
    async fn restart(&mut self) {
        // A job that was under way is done or not; here it is.
        if self.disk.job.is_some() {
            self.disk.done().await;
        }
        self.batches = batches();
        self.incoming.clear();
        self.on_the_way.clear();
        let limits = self.disk.limits;
        self.disk.spool = None;
        self.disk = Disk::open(Storage::faulty(&self.faulty), limits, &mut self.batches).await.unwrap();
    }

    fn offer(&mut self, thread: &str, name: u64) {
        self.incoming.push_back(record(thread, name));
    }

    /// All that the loop does, but for waiting.
    fn advance(&mut self) {
        let now = Instant::now();
        while !self.incoming.is_empty() && self.disk.lets_pass(&self.batches, now) {
            self.batches.push(self.incoming.pop_front().unwrap(), None, now);
        }
        self.on_the_way.extend(std::iter::from_fn(|| self.batches.next(now)));
        self.disk.work(&mut self.batches, &self.incoming, now);
    }

    async fn finish_job(&mut self) {
        if self.disk.job.is_some() {
            let done = self.disk.done().await;
            self.disk.settle(done, &mut self.batches, &mut self.incoming, Instant::now());
        }
    }

    /// Lets so much time pass, as the loop would spend it while Kinesis doesn't answer.
    async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.advance();
            self.finish_job().await;
            let next = self.disk.next_at(&self.batches, Instant::now()).filter(|at| *at < end);
            let next = next.filter(|_| self.disk.job.is_none());
            tokio::time::sleep_until(next.unwrap_or(end)).await;
            if Instant::now() >= end {
                break;
            }
        }
        self.advance();
    }

    /// The first request on its way is answered: all of it is accepted.
    fn accept(&mut self) -> bool {
        if self.on_the_way.is_empty() {
            return false;
        }
        let request = self.on_the_way.remove(0);
        let all = vec![true; request.arrivals.len()];
        for held in self.batches.answered(&request, &all, Instant::now()) {
            let stored = self.stored.entry(held.record.thread.clone()).or_default();
            let name = name(&held.record);
            if stored.contains(&name) {
                self.repeats += 1;
            } else {
                stored.push(name);
            }
            self.disk.accepted(&held, Instant::now());
        }
        true
    }

    fn fail(&mut self) {
        if !self.on_the_way.is_empty() {
            let request = self.on_the_way.remove(0);
            self.batches.failed(request, Pace::Soon, Instant::now());
        }
    }

    /// Kinesis and the disk are well until nothing is left to do.
    async fn drain(&mut self) {
        for _ in 0..1000 {
            while self.accept() {
                self.advance();
            }
            self.pass(Duration::from_secs(1)).await;
            let nothing_left = self.incoming.is_empty() && self.batches.window().is_empty();
            if nothing_left && self.disk.has_nothing_to_read() && self.disk.contents.records == 0 {
                return;
            }
        }
        panic!("something is left: {:?}, {:?}", self.disk.contents, self.batches);
    }

    fn all_stored(&self) -> Vec<u64> {
        self.stored.values().flatten().copied().collect()
    }
}

fn second() -> Duration {
    Duration::from_secs(1)
}

#[tokio::test(start_paused = true)]
async fn record_is_on_disk_when_kinesis_has_not_taken_it_for_half_a_second() {
    let mut desk = Desk::open(LIMITS).await;
    desk.offer("t", 1);
    desk.pass(Duration::from_millis(499)).await;
    assert_eq!(desk.disk.contents.records, 0);
    desk.pass(Duration::from_millis(2)).await;
    assert_eq!((desk.disk.contents.records, desk.batches.window().count_only_here()), (1, 0));
    assert!(desk.accept());
    desk.pass(FLUSH * 2).await;
    assert_eq!((desk.disk.contents.records, desk.disk.unread), (0, 0));
    assert_eq!(desk.all_stored(), [1]);
}

#[tokio::test(start_paused = true)]
async fn while_kinesis_is_quick_the_disk_is_left_alone() {
    let mut desk = Desk::open(LIMITS).await;
    desk.pass(second()).await;
    let next = desk.disk.next_number;
    for name in 0..100 {
        desk.offer("t", name);
        desk.advance();
        assert!(desk.accept());
        desk.pass(Duration::from_millis(20)).await;
    }
    assert_eq!((desk.disk.next_number, desk.stored["t"].len()), (next, 100));
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_in_memory_goes_through_the_disk_in_its_order() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..100 {
        desk.offer(&(name % 3).to_string(), name);
    }
    desk.pass(second()).await;
    assert!(desk.batches.window().bytes() < LIMITS.window + 300);
    assert_eq!((desk.disk.contents.records, desk.incoming.len()), (100, 0));
    desk.drain().await;
    for (thread, stored) in &desk.stored {
        assert!(stored.is_sorted(), "{thread}: {stored:?}");
    }
    assert_eq!(desk.all_stored().len(), 100);
}

/// More than a new database has room for.
const LARGE: usize = 200_000;

#[tokio::test(start_paused = true)]
async fn full_disk_is_said_and_tried_again_and_nothing_is_lost() {
    let mut desk = Desk::open(Limits { window: 10 << 20, ..LIMITS }).await;
    desk.faulty.full(true);
    for name in 0..3 {
        desk.incoming.push_back(sized("t", name, LARGE));
    }
    desk.pass(second() * 20).await;
    let trouble = desk.disk.trouble().unwrap();
    assert!(trouble.starts_with("the spool faulty failed: I/O error: no storage space"), "{trouble}");
    assert_eq!(desk.disk.contents.records, 0);
    let attempts = desk.faulty.opened();
    assert!((3..10).contains(&attempts), "{attempts}");
    desk.faulty.full(false);
    desk.pass(second() * 6).await;
    assert_eq!((desk.disk.contents.records, desk.disk.trouble()), (3, None));
    desk.drain().await;
    assert_eq!(desk.stored["t"], [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn full_disk_is_read_and_emptied_all_the_same() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..50 {
        desk.offer("t", name);
    }
    desk.pass(second()).await;
    assert_eq!(desk.disk.unread, 40);
    desk.faulty.full(true);
    desk.incoming.push_back(sized("t", 50, LARGE));
    desk.pass(second() * 30).await;
    assert_eq!((desk.disk.unread, desk.incoming.len()), (40, 1), "it waits for the older");
    assert!(desk.disk.trouble().is_some());
    desk.drain().await;
    assert_eq!(desk.stored["t"], (0..51).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn disk_that_takes_nothing_is_read_all_the_same() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..50 {
        desk.offer("t", name);
    }
    desk.pass(second()).await;
    assert_eq!(desk.disk.unread, 40);
    desk.faulty.unwritable(true);
    for name in 50..60 {
        desk.offer("t", name);
    }
    for _ in 0..600 {
        desk.accept();
        desk.pass(Duration::from_millis(100)).await;
    }
    assert_eq!(desk.stored["t"], (0..60).collect::<Vec<_>>());
    assert_eq!((desk.disk.contents.records, desk.repeats), (50, 0), "none could be taken off");
    assert!(desk.disk.trouble().is_some());
    desk.faulty.unwritable(false);
    desk.drain().await;
    assert_eq!((desk.disk.trouble(), desk.repeats), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_taken_off_the_disk_is_not_read_from_it() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..50 {
        desk.offer("t", name);
    }
    desk.pass(second()).await;
    // As after a failure that left it there all the same.
    desk.disk.removals.push(desk.disk.next_number - 1);
    desk.disk.write_at = Some(Instant::now() + Duration::from_hours(1));
    while desk.accept() {
        desk.pass(Duration::from_millis(100)).await;
    }
    assert_eq!(desk.stored["t"], (0..49).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn news_waits_ten_seconds_for_a_disk_that_has_older_news_and_no_longer() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..50 {
        desk.offer("t", name);
    }
    desk.pass(second()).await;
    desk.faulty.broken(true);
    while desk.accept() {
        desk.pass(Duration::from_millis(10)).await;
    }
    desk.offer("t", 50);
    desk.pass(Duration::from_secs(8)).await;
    assert!(desk.batches.window().is_empty() && desk.incoming.len() == 1);
    assert!(desk.disk.trouble().is_some());
    desk.pass(Duration::from_secs(20)).await;
    assert!(desk.accept());
    assert_eq!(desk.stored["t"].last(), Some(&50));
    desk.offer("t", 51);
    desk.advance();
    desk.fail();
    desk.faulty.broken(false);
    desk.pass(Duration::from_secs(10)).await;
    desk.drain().await;
    assert_eq!(desk.stored["t"].len(), 52, "and the older came when it was back");
    assert_eq!(desk.repeats, 0);
}

#[tokio::test(start_paused = true)]
async fn damaged_disk_is_begun_anew_with_what_is_in_memory_and_the_rest_is_counted() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..50 {
        desk.offer("t", name);
    }
    desk.pass(second()).await;
    let unread = desk.disk.unread;
    desk.faulty.full(true);
    desk.incoming.push_back(sized("t", 50, LARGE));
    desk.advance();
    desk.finish_job().await;
    desk.faulty.damage();
    desk.faulty.full(false);
    desk.pass(Duration::from_secs(20)).await;
    assert_eq!(desk.disk.take_damaged(), unread);
    assert_eq!(desk.disk.contents.records, 51 - unread, "what memory has is on the new one");
    desk.drain().await;
    let survivors: Vec<_> = (0..50 - unread).chain([50]).collect();
    assert_eq!(desk.stored["t"], survivors);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_all_goes_to_the_disk_and_what_it_does_not_take_is_lost() {
    let tiny = Limits { spool: 8192, ..LIMITS };
    for (broken, lost) in [(false, 0), (true, 60)] {
        let mut desk = Desk::open(tiny).await;
        for name in 0..60 {
            desk.offer("t", name);
        }
        desk.faulty.broken(broken);
        desk.advance();
        assert_eq!(desk.disk.finish(&mut desk.batches, &mut desk.incoming).await, lost);
        desk.faulty.broken(false);
        desk.disk.limits = LIMITS;
        desk.restart().await;
        desk.drain().await;
        assert_eq!(desk.all_stored().len(), 60 - lost);
    }
}

#[tokio::test(start_paused = true)]
async fn disk_that_hangs_at_the_end_is_given_five_seconds_and_what_it_has_not_is_counted() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..60 {
        desk.offer("t", name);
    }
    desk.disk.job = Some(tokio::spawn(std::future::pending()));
    let began = Instant::now();
    assert_eq!(desk.disk.finish(&mut desk.batches, &mut desk.incoming).await, 60);
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn disk_that_was_never_open_is_not_written_before_it_is_known_what_is_on_it() {
    let mut desk = Desk::open(LIMITS).await;
    for name in 0..5 {
        desk.offer("t", name);
    }
    desk.pass(second()).await;
    desk.faulty.broken(true);
    desk.restart().await;
    assert!(desk.disk.trouble().is_some());
    desk.offer("t", 5);
    desk.pass(second() * 5).await;
    desk.faulty.broken(false);
    desk.pass(second() * 6).await;
    desk.drain().await;
    assert_eq!(desk.stored["t"], [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_kept_even_if_the_disk_must_be_waited_for() {
    let mut desk = Desk::open(LIMITS).await;
    desk.offer("t", 1);
    desk.offer("u", 2);
    desk.advance();
    desk.faulty.broken(true);
    let request = desk.on_the_way.remove(0);
    let held = desk.batches.answered(&request, &[true, true], Instant::now()).remove(0);
    desk.disk.refuse(held, "odd".into(), Instant::now());
    desk.pass(second()).await;
    desk.faulty.broken(false);
    desk.pass(second() * 8).await;
    assert_eq!((desk.disk.contents.refused, desk.disk.refusals.len()), (1, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u8),
    Pass(u16),
    Accept,
    Fail,
    /// The disk is full for one job.
    Full,
    /// The disk takes nothing for one job.
    Unwritable,
    /// Nothing works for one job.
    Broken,
    /// The process is killed between two jobs, or while one is under way.
    Kill(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_u8).prop_map(Step::Offer),
        4 => (0..1500_u16).prop_map(Step::Pass),
        3 => Just(Step::Accept),
        1 => Just(Step::Fail),
        1 => Just(Step::Full),
        1 => Just(Step::Unwritable),
        1 => Just(Step::Broken),
        1 => any::<bool>().prop_map(Step::Kill),
    ]
}

impl Desk {
    /// What would be gone if the process were killed now.
    fn in_memory_alone(&self) -> Vec<u64> {
        let window = self.batches.window();
        let here = window.only_here().map(|arrival| name(self.batches.get(arrival)));
        here.chain(self.incoming.iter().map(name)).collect()
    }

    async fn play(&mut self, step: Step, names: &mut u64, gone: &mut Vec<u64>) {
        match step {
            Step::Offer(thread) => {
                self.offer(&thread.to_string(), *names);
                *names += 1;
            }
            Step::Pass(ms) => self.pass(Duration::from_millis(ms.into())).await,
            Step::Accept => {
                self.accept();
            }
            Step::Fail => self.fail(),
            Step::Full | Step::Unwritable | Step::Broken => {
                self.finish_job().await;
                match step {
                    Step::Full => self.faulty.full(true),
                    Step::Unwritable => self.faulty.unwritable(true),
                    _ => self.faulty.broken(true),
                }
                self.advance();
                self.finish_job().await;
                self.faulty.full(false);
                self.faulty.unwritable(false);
                self.faulty.broken(false);
            }
            Step::Kill(in_a_job) => {
                self.advance();
                if !in_a_job {
                    self.finish_job().await;
                }
                // What is being written may or may not be there.
                gone.extend(self.in_memory_alone());
                self.restart().await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_but_what_was_in_memory_alone_when_killed(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut desk = Desk::open(LIMITS).await;
            let (mut names, mut gone) = (0, Vec::new());
            for step in steps {
                desk.play(step, &mut names, &mut gone).await;
            }
            desk.drain().await;
            let stored = desk.all_stored();
            for name in 0..names {
                prop_assert!(stored.contains(&name) || gone.contains(&name), "{} is lost", name);
            }
            for (thread, stored) in &desk.stored {
                prop_assert!(stored.is_sorted(), "{}: {:?}", thread, stored);
            }
            Ok(())
        })?;
    }
}
