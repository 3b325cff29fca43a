//! Who has to go, event by event.

use super::*;

fn address(number: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, number])
}

struct World {
    places: Places,
    now: Instant,
}

struct Guest {
    place: Place,
    evicted: Evicted,
}

impl Guest {
    fn is_here(&mut self) -> bool {
        matches!(self.evicted.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    fn served(self) -> Self {
        self.place.standing().serve();
        self
    }
}

impl World {
    fn new(connections: usize, per_address: usize) -> Self {
        Self { places: Places::new(connections, per_address), now: Instant::now() }
    }

    fn try_come(&mut self, from: u8) -> Option<Guest> {
        let (place, evicted, _) = self.places.take(address(from), self.now)?;
        Some(Guest { place, evicted })
    }

    fn come(&mut self, from: u8) -> Guest {
        self.try_come(from).expect("a place")
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
    }

    fn taken(&self) -> usize {
        let table = lock(&self.places.0);
        for queue in [&table.silent, &table.served] {
            let counted: usize = queue.by_address.values().map(BTreeSet::len).sum();
            assert_eq!(queue.turns.len(), counted);
            assert_eq!(queue.by_address.len(), queue.crowds.len());
        }
        table.silent.len() + table.served.len()
    }
}

#[test]
fn silent_connections_make_room_and_of_them_the_oldest_of_the_largest_crowd() {
    let mut world = World::new(4, 4);
    let mut alone = world.come(1);
    let mut crowd = [world.come(2), world.come(2), world.come(2)];
    assert!(world.try_come(3).is_none(), "all are too new to go");
    world.wait(GRACE);
    let mut newcomer = world.come(3);
    assert!(alone.is_here() && newcomer.is_here());
    assert_eq!(crowd.each_mut().map(Guest::is_here), [false, true, true]);
    assert_eq!(world.taken(), 4);
}

#[test]
fn an_address_that_is_full_closes_its_own_and_nobody_elses() {
    let mut world = World::new(100, 2);
    let mut other = world.come(1);
    let mut own = [world.come(2), world.come(2)];
    assert!(world.try_come(2).is_none());
    world.wait(GRACE);
    let _newcomer = world.come(2);
    assert!(other.is_here());
    assert_eq!(own.each_mut().map(Guest::is_here), [false, true]);
}

#[test]
fn whoever_was_answered_stays_while_more_than_a_quarter_is_silent() {
    let mut world = World::new(8, 8);
    let mut served: Vec<_> = (0..5).map(|_| world.come(1).served()).collect();
    let mut silent: Vec<_> = (2..5).map(|from| world.come(from)).collect();
    world.wait(GRACE);
    let mut newcomers: Vec<_> = (0..20)
        .map(|_| {
            world.wait(GRACE);
            world.come(9)
        })
        .collect();
    assert!(served.iter_mut().all(Guest::is_here));
    let here: Vec<_> = silent.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [false, false, true], "then the newcomers are the largest crowd");
    assert!(newcomers.last_mut().unwrap().is_here());
    assert_eq!(world.taken(), 8);
}

#[test]
fn newcomers_get_a_quarter_when_all_others_were_answered_once_and_idle() {
    let mut world = World::new(8, 8);
    let mut served: Vec<_> = (0..8).map(|from| world.come(from).served()).collect();
    served[0].place.standing().serve();
    let mut newcomers: Vec<_> = (0..2).map(|_| world.come(20)).collect();
    let here: Vec<_> = served.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [true, false, false, true, true, true, true, true], "the longest idle go");
    // The third one makes more than a quarter: from now on the silent ones make room.
    newcomers.push(world.come(21));
    assert!(world.try_come(22).is_none());
    world.wait(GRACE);
    newcomers.push(world.come(22));
    let here: Vec<_> = newcomers.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [false, true, true, true]);
}

#[test]
fn whoever_is_kept_takes_no_place_and_never_goes() {
    let mut world = World::new(2, 1);
    let mut kept: Vec<_> = (0..10)
        .map(|_| {
            let guest = world.come(1);
            guest.place.standing().keep();
            guest.place.standing().serve();
            guest
        })
        .collect();
    assert_eq!(world.taken(), 0);
    for from in 2..20 {
        world.wait(GRACE);
        let _guest = world.come(from).served();
    }
    assert_eq!(world.places.sweep(GRACE, world.now), 0);
    assert!(kept.iter_mut().all(Guest::is_here));
    drop(kept);
    assert!(lock(&world.places.0).guests.is_empty());
}

#[test]
fn who_says_nothing_for_too_long_is_closed_and_who_was_answered_is_not() {
    let mut world = World::new(10, 10);
    let (mut silent, mut served) = (world.come(1), world.come(1).served());
    world.wait(Duration::from_secs(5));
    let mut late = world.come(1);
    world.wait(Duration::from_secs(5));
    assert_eq!(world.places.sweep(Duration::from_secs(10), world.now), 1);
    assert!(!silent.is_here() && served.is_here() && late.is_here());
}

#[test]
fn a_place_that_is_given_back_is_free_and_is_given_back_once() {
    let mut world = World::new(2, 2);
    let (first, _second) = (world.come(1), world.come(1).served());
    first.place.standing().close();
    assert_eq!(world.taken(), 1);
    let standing = first.place.standing().clone();
    drop(first);
    standing.serve();
    standing.keep();
    assert_eq!(world.taken(), 1);
    let _third = world.come(1);
    assert_eq!(world.taken(), 2);
}
