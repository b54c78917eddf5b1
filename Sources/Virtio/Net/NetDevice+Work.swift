internal import LinuxSystem
internal import Synchronization

/// The work of a network interface: a thread for each pair of queues.
extension NetDevice {
    func startThreads(
        _ activation: DeviceActivation, _ stop: StopFlag
    ) throws(SystemError) -> [WorkerThread] {
        guard let tap = state.withLock({ $0.tap }) else { return [] }
        let choice = state.withLock { $0.choice }
        try tap.set((choice.offloads ?? activation.features).tapOffloads)
        let announcements = try NetAnnouncer.Schedule(announcer) { [self] in
            sendAnnouncement(activation, tap)
        }
        var threads: [WorkerThread] = []
        for (index, queue) in tap.queues.enumerated() {
            let receive = activation.queues[2 * index]
            let transmit = activation.queues[2 * index + 1]
            guard receive.isEnabled || transmit.isEnabled else { continue }
            let port = NetPair.Port(
                receive: receive, transmit: transmit,
                control: index == 0 ? control(activation) : nil,
                announcements: index == 0 ? announcements : nil, tap: queue,
                activation: activation, stop: stop, received: received, transmitted: transmitted
            ) { [self] in
                state.withLock { $0.isLinkUp }
            } fail: { [self] error in
                failures.tell(activation.notifier, "\(error)")
            }
            threads.append(
                try WorkerThread(name: "\(identifier) q\(index)", kind: .net) { stop in
                    do throws(SystemError) {
                        var pair = try NetPair(port)
                        try pair.run(stop: stop)
                    } catch {
                        activation.notifier.fail("Its frames cannot be moved: \(error)")
                    }
                })
        }
        return threads
    }

    /// Plugs the cable in or pulls it: without it no packets are moved, and the driver knows.
    func setLink(up isUp: Bool) {
        let wasUp = state.withLock { state in
            defer { state.isLinkUp = isUp }
            return state.isLinkUp
        }
        guard wasUp != isUp, let activation = activity.activation else { return }
        activation.notifier.configurationChanged()
        lookAgain(activation)
    }

    /// Lets each pair look at its queue of the tap again.
    private func lookAgain(_ activation: DeviceActivation) {
        for index in 0..<pairCount { activation.queues[2 * index].doorbell.signal() }
    }

    /// The control queue is the one after the pairs that the driver knows of.
    private func control(_ activation: DeviceActivation) -> NetControl? {
        guard activation.features.contains(NetFeature.controlQueue) else { return nil }
        let knowsAllPairs = activation.features.contains(NetFeature.multipleQueues)
        let queue = activation.queues[knowsAllPairs ? 2 * pairCount : 2]
        return NetControl(
            queue: queue, notifier: activation.notifier, features: activation.features
        ) { [self] command in
            let isDone = perform(command)
            lookAgain(activation)
            return isDone
        }
    }

    private func perform(_ command: NetControl.Command) -> Bool {
        switch command {
        case .setPromiscuous(let isOn):
            state.withLock { $0.choice.isPromiscuous = isOn }
        case .setAllMulticast(let isOn):
            state.withLock { $0.choice.receivesAllMulticast = isOn }
        case .setAddresses(let addresses):
            state.withLock { $0.choice.furtherAddresses = addresses }
        case .setAddress(let address):
            state.withLock { $0.choice.address = address }
        case .changeVLAN:
            // The tap gives the driver the packets of all of them.
            break
        case .acknowledgeAnnouncement:
            state.withLock { $0.choice.isAskedToAnnounce = false }
        case .setQueuePairs(let count):
            guard (1...pairCount).contains(count), let tap = state.withLock({ $0.tap }),
                (try? tap.setActivePairs(count)) != nil
            else { return false }
            state.withLock { $0.choice.activePairs = count }
        case .setOffloads(let offloads):
            guard let tap = state.withLock({ $0.tap }),
                (try? tap.set(offloads.tapOffloads)) != nil
            else { return false }
            state.withLock { $0.choice.offloads = offloads }
        }
        return true
    }
}
