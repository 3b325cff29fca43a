//! Who has to go, event by event.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

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

    fn served(self, world: &World) -> Self {
        self.serve(world);
        self
    }

    fn serve(&self, world: &World) {
        self.place.standing().enter().serve(world.now);
    }

    fn moves(&self, world: &World) {
        self.place.standing().step(world.now);
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
    let mut served: Vec<_> = (0..5).map(|_| world.come(1).served(&world)).collect();
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
    let mut served: Vec<_> = (0..8).map(|from| world.come(from).served(&world)).collect();
    served[0].serve(&world);
    world.wait(MOVING);
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
            guest.serve(&world);
            guest
        })
        .collect();
    assert_eq!(world.taken(), 0);
    for from in 2..20 {
        world.wait(MOVING);
        let _guest = world.come(from).served(&world);
    }
    assert_eq!(world.places.sweep(GRACE, world.now), 0);
    assert!(kept.iter_mut().all(Guest::is_here));
    drop(kept);
    assert!(lock(&world.places.0).guests.is_empty());
}

#[test]
fn who_says_nothing_for_too_long_is_closed_and_who_was_answered_is_not() {
    let mut world = World::new(10, 10);
    let (mut silent, mut served) = (world.come(1), world.come(1).served(&world));
    world.wait(Duration::from_secs(5));
    let mut late = world.come(1);
    world.wait(Duration::from_secs(5));
    assert_eq!(world.places.sweep(Duration::from_secs(10), world.now), 1);
    assert!(!silent.is_here() && served.is_here() && late.is_here());
}

#[test]
fn a_place_that_is_given_back_is_free_and_is_given_back_once() {
    let mut world = World::new(2, 2);
    let (first, _second) = (world.come(1), world.come(1).served(&world));
    first.place.standing().close();
    assert_eq!(world.taken(), 1);
    let standing = first.place.standing().clone();
    let call = standing.enter();
    drop(first);
    call.serve(world.now);
    standing.step(world.now);
    standing.keep();
    assert_eq!(world.taken(), 1);
    let _third = world.come(1);
    assert_eq!(world.taken(), 2);
}

#[test]
fn of_those_who_were_served_the_idle_one_of_the_largest_crowd_goes_and_none_that_works() {
    let mut world = World::new(6, 6);
    let mut alone = world.come(1).served(&world);
    let mut crowd: Vec<_> = (0..5).map(|_| world.come(2).served(&world)).collect();
    assert!(world.try_come(3).is_none(), "all were answered a moment ago");
    let upload = crowd[0].place.standing().enter();
    world.wait(MOVING);
    crowd[1].moves(&world);
    crowd[2].serve(&world);
    let mut newcomer = world.come(3);
    assert!(alone.is_here() && newcomer.is_here());
    let here: Vec<_> = crowd.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [true, true, true, false, true], "the oldest that is idle");
    drop(upload);
    newcomer.serve(&world);
    let _next = world.come(4);
    let here: Vec<_> = crowd.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [false, true, true, false, true], "its call has ended");
}

#[test]
fn an_address_whose_connections_all_work_is_refused_another_one() {
    let mut world = World::new(100, 3);
    let mut neighbours: Vec<_> = (0..3).map(|_| world.come(1).served(&world)).collect();
    let calls: Vec<_> = neighbours.iter().map(|one| one.place.standing().enter()).collect();
    world.wait(10 * MOVING);
    assert!(world.try_come(1).is_none());
    let _other = world.come(2);
    drop(calls);
    let _next = world.come(1);
    let here: Vec<_> = neighbours.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [false, true, true]);
}

#[test]
fn a_crowd_of_newcomers_does_not_keep_out_an_address_that_has_few() {
    let mut world = World::new(8, 8);
    let mut crowd: Vec<_> = (0..8).map(|_| world.come(1)).collect();
    assert!(world.try_come(1).is_none(), "the crowd itself waits");
    let mut few = [world.come(2)];
    assert!(world.try_come(2).is_none(), "seven are not many beside two");
    assert!(few[0].is_here());
    let here = crowd.iter_mut().filter_map(|one| one.is_here().then_some(())).count();
    assert_eq!(here, 7);
}

#[test]
fn a_first_call_whose_bytes_still_come_is_not_closed_and_one_that_stands_still_is() {
    let longest = Duration::from_secs(30);
    let mut world = World::new(2, 2);
    let (mut slow, mut mute) = (world.come(1), world.come(1));
    for _ in 0..7 {
        world.wait(Duration::from_secs(5));
        slow.moves(&world);
    }
    assert!(mute.is_here());
    let _newcomer = world.come(1);
    assert!(slow.is_here() && !mute.is_here(), "nor does it make room");
    assert_eq!(world.places.sweep(longest, world.now), 0);
    world.wait(MOVING);
    assert_eq!(world.places.sweep(longest, world.now), 1);
    assert!(!slow.is_here());
}

#[test]
fn of_one_peer_the_oldest_connection_goes_when_it_makes_too_many() {
    let mut world = World::new(2, 2);
    let (many, other) = (Pin([1; 32]), Pin([2; 32]));
    let mut single = world.come(1);
    assert!(!single.place.standing().keep_peer(other));
    let mut own: Vec<_> = (0..OF_PEER + 3)
        .map(|number| {
            let guest = world.come(1);
            assert_eq!(guest.place.standing().keep_peer(many), number >= OF_PEER);
            guest
        })
        .collect();
    let here: Vec<_> = own.iter_mut().map(Guest::is_here).collect();
    assert_eq!(here, [[false; 3].as_slice(), &[true; OF_PEER]].concat());
    assert!(single.is_here());
    drop(own.pop());
    assert!(!world.come(1).place.standing().keep_peer(many), "there is room again");
    drop((own, single));
    assert!(lock(&world.places.0).peers.is_empty());
}

/// Of the largest crowd that has one which may go, the first; each crowd is looked at.
fn plain(
    table: &Table,
    queue: &Queue,
    grace: impl Fn(usize) -> Duration,
    now: Instant,
) -> Option<u64> {
    queue.crowds().find_map(|(many, crowd)| table.still(queue.of(crowd), grace(many), now))
}

#[test]
fn who_goes_is_found_without_a_look_at_crowds_that_came_later() {
    let mut rng = StdRng::seed_from_u64(7);
    let (mut found, mut none) = (0, 0);
    for _ in 0..50 {
        let mut world = World::new(64, 16);
        let mut guests: Vec<Guest> = Vec::new();
        for _ in 0..200 {
            world.wait(Duration::from_millis(rng.random_range(0..100)));
            let guest = rng.random_range(0..64);
            match (rng.random_range(0..8), guests.get(guest)) {
                (0, Some(guest)) => guest.serve(&world),
                (1, Some(guest)) => guest.moves(&world),
                (2, Some(_)) => drop(guests.swap_remove(guest)),
                (3, Some(guest)) => std::mem::forget(guest.place.standing().enter()),
                _ => guests.extend(world.try_come(rng.random_range(0..40))),
            }
            guests.retain_mut(Guest::is_here);
            let (table, now) = (lock(&world.places.0), world.now);
            for queue in [&table.silent, &table.served] {
                for long in [Duration::ZERO, GRACE / 2, GRACE] {
                    let grace = |many| if many > 2 { long / 2 } else { long };
                    let quick = table.first_still(queue, grace, now);
                    assert_eq!(quick, plain(&table, queue, grace, now));
                    *if quick.is_some() { &mut found } else { &mut none } += 1;
                }
            }
        }
    }
    assert!(found > 1_000 && none > 1_000, "{found} {none}");
}
