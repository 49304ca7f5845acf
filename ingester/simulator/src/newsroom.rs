//! Where items leave from, one by one, to everybody who asked for them.

use crate::{
    envelope::Packed,
    generator::{Generator, scores},
    item::{Item, Ric, Story},
    options::{Options, Pace},
    world::{Command, Link, Release, World},
};
use jiff::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

/// Packed, with its scores.
pub(crate) type Pair = (Arc<Packed>, Option<Arc<Packed>>);

/// Items of somebody's own, and who waits for them to leave.
pub(crate) struct Letter {
    pub(crate) items: Vec<Item>,
    pub(crate) left: oneshot::Sender<()>,
}

/// Where items leave from.
pub(crate) struct Newsroom {
    world: Arc<World>,
    inbox: mpsc::UnboundedReceiver<Letter>,
    generator: Generator,
    prebuilt: VecDeque<Pair>,
    /// Items of the last cycle, for those that repeat them.
    packed: HashMap<String, Pair>,
    released: u64,
    invented: u64,
}

impl Newsroom {
    pub(crate) fn new(world: Arc<World>, inbox: mpsc::UnboundedReceiver<Letter>, prebuilt: Vec<Pair>) -> Self {
        let generator = Generator::new(world.options.seed);
        Self { world, inbox, generator, prebuilt: prebuilt.into(), packed: HashMap::new(), released: 0, invented: 0 }
    }

    /// Sends what is due until the simulator stops.
    pub(crate) async fn run(mut self) {
        let stop = self.world.stop.clone();
        tokio::select! {
            () = self.work() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn work(&mut self) {
        if self.world.options.pace == Pace::Manual {
            while let Some(items) = self.inbox.recv().await {
                self.hand_out(items).await;
            }
            return;
        }
        self.wait_for_readers(self.world.options.wait_for).await;
        let mut began = Instant::now();
        while !self.is_done() {
            if *self.world.paused.borrow() {
                began += self.pause().await;
            }
            let due = self.due(began);
            if let Some(due) = due.filter(|due| *due > Instant::now()) {
                tokio::select! {
                    () = sleep_until(due) => {}
                    Some(items) = self.inbox.recv() => {
                        self.hand_out(items).await;
                        continue;
                    }
                }
            } else if let Ok(items) = self.inbox.try_recv() {
                self.hand_out(items).await;
            }
            if self.world.options.pace == Pace::Max {
                self.give_way().await;
            } else {
                // Behind its time, nothing above waits; the connections have their turn all the same.
                tokio::task::yield_now().await;
            }
            self.release_next().await;
        }
        tracing::info!(released = self.released, "Every item was released.");
        self.world.log.write(|journal| journal.is_finished = true);
        while let Some(items) = self.inbox.recv().await {
            self.hand_out(items).await;
        }
    }

    /// Items of somebody's own are sent even before the first invented one.
    async fn wait_for_readers(&mut self, count: usize) {
        let world = Arc::clone(&self.world);
        let ready = world.log.until(|journal| journal.subscribed() >= count);
        tokio::pin!(ready);
        loop {
            tokio::select! {
                () = &mut ready => return,
                Some(items) = self.inbox.recv() => self.hand_out(items).await,
            }
        }
    }

    /// As fast as sockets take it means: not at all while there is none, and sockets have their turn.
    async fn give_way(&mut self) {
        if !self.world.links().iter().any(|link| link.wants.any()) {
            self.wait_for_readers(1).await;
        }
        if self.prebuilt.is_empty() || self.invented.is_multiple_of(32) {
            tokio::task::yield_now().await;
        }
    }

    fn is_done(&self) -> bool {
        let options = &self.world.options;
        let used_up = options.prebuilt > 0 && self.prebuilt.is_empty();
        used_up || options.count.is_some_and(|count| self.invented >= count)
    }

    /// How long it took. Items of somebody's own are sent all the same.
    async fn pause(&mut self) -> Duration {
        let began = Instant::now();
        let mut paused = self.world.paused.subscribe();
        loop {
            tokio::select! {
                () = async { drop(paused.wait_for(|paused| !paused).await) } => return began.elapsed(),
                Some(items) = self.inbox.recv() => self.hand_out(items).await,
            }
        }
    }

    /// When the next item is due; nothing if it is now.
    fn due(&mut self, began: Instant) -> Option<Instant> {
        match self.world.options.pace {
            Pace::Recorded(speed) if speed > 0.0 => Some(began + self.generator.next_after().div_f64(speed)),
            #[expect(clippy::cast_precision_loss, reason = "good for two thousand years at a thousand a second")]
            Pace::Rate(rate) if rate > 0.0 => Some(began + Duration::from_secs_f64(self.invented as f64 / rate)),
            _ => None,
        }
    }

    async fn release_next(&mut self) {
        self.invented += 1;
        let options = &self.world.options;
        if let Some((item, scores)) = self.prebuilt.pop_front() {
            let published = options.base_time.unwrap_or_else(Timestamp::now);
            return self.release(item, scores, published, false).await;
        }
        let published = published(options, &mut self.generator);
        let invented = self.generator.next(published);
        let pair = match self.packed.get(&invented.story.id) {
            Some(pair) if invented.repeat => pair.clone(),
            _ => pair(&invented.story, options),
        };
        if self.packed.len() > 1000 {
            self.packed.clear();
        }
        self.packed.insert(invented.story.id, pair.clone());
        self.release(pair.0, pair.1, published, invented.repeat).await;
    }

    async fn hand_out(&mut self, Letter { items, left }: Letter) {
        for item in items {
            let packed = Arc::new(Packed::new(&item, self.world.options.fragment_bytes));
            let published = self.world.options.base_time.unwrap_or_else(Timestamp::now);
            self.release(packed, None, published, false).await;
        }
        // Who sent it may not wait.
        let _ = left.send(());
    }

    async fn release(&mut self, item: Arc<Packed>, scores: Option<Arc<Packed>>, published: Timestamp, repeat: bool) {
        self.released += 1;
        let release = Arc::new(Release { number: self.released, item, scores, published, repeat });
        let (taken, full) = self.offer(&release);
        self.world.log.write(|journal| {
            journal.counts.released += 1;
            journal.counts.missed += u64::from(!taken);
        });
        for news in full {
            // One that is gone meanwhile needs no news.
            let _ = news.send(Arc::clone(&release)).await;
        }
    }

    /// Whether anybody takes it, and who has to be waited for. A real server doesn't wait: who is too far behind is
    /// dropped.
    fn offer(&self, release: &Arc<Release>) -> (bool, Vec<mpsc::Sender<Arc<Release>>>) {
        let (mut taken, mut full) = (false, Vec::new());
        let waits = matches!(self.world.options.pace, Pace::Max | Pace::Manual);
        let asked_for = |ric: Ric| move |link: &Link| link.wants.has(ric);
        let (story, scores) = (asked_for(release.item.about.ric), asked_for(Ric::Scores));
        for link in self.world.links().iter().filter(|link| story(link) || release.scores.is_some() && scores(link)) {
            taken = true;
            match link.news.try_send(Arc::clone(release)) {
                Err(mpsc::error::TrySendError::Full(_)) if waits => full.push(link.news.clone()),
                Err(mpsc::error::TrySendError::Full(_)) => drop(link.commands.send(Command::Behind)),
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
        (taken, full)
    }
}

fn published(options: &Options, generator: &mut Generator) -> Timestamp {
    match options.base_time {
        Some(base) => base.checked_add(generator.next_after()).unwrap_or(base),
        None => Timestamp::now(),
    }
}

fn pair(story: &Story, options: &Options) -> Pair {
    let pack = |item: &Item| Arc::new(Packed::new(item, options.fragment_bytes));
    let scores = if options.scores { scores(story) } else { None };
    (pack(&Item::from(story)), scores.as_ref().map(pack))
}

/// Threads that invent beforehand. The number is fixed: it decides what is invented.
const INVENTORS: usize = 4;

/// Invents `options.prebuilt` items, all of them different.
pub(crate) fn prebuild(options: &Options) -> Vec<Pair> {
    let share = options.prebuilt.div_ceil(INVENTORS);
    let mut shares: Vec<_> = std::thread::scope(|scope| {
        let inventors: Vec<_> = (0..INVENTORS as u64)
            .map(|index| scope.spawn(move || prebuild_share(options, index, share).into_iter()))
            .collect();
        inventors.into_iter().filter_map(|inventor| inventor.join().ok()).collect()
    });
    let mut all = Vec::with_capacity(options.prebuilt);
    while all.len() < options.prebuilt {
        let before = all.len();
        all.extend(shares.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            break;
        }
    }
    all.truncate(options.prebuilt);
    all
}

fn prebuild_share(options: &Options, index: u64, count: usize) -> Vec<Pair> {
    let mut generator = Generator::new(crate::text::hash_of(&[options.seed, index]));
    let mut pairs = Vec::with_capacity(count);
    while pairs.len() < count {
        let published = published(options, &mut generator);
        let invented = generator.next(published);
        if !invented.repeat {
            pairs.push(pair(&invented.story, options));
        }
    }
    pairs
}
