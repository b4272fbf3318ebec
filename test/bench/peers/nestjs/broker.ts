import { RmqOptions, Transport } from '@nestjs/microservices';

// What the gateway and the service have in common. Everything else is as documented by default: messages are not
// persistent, nothing is acknowledged (so prefetchCount limits nothing), and replies come by direct reply-to.
export const broker: RmqOptions = {
  transport: Transport.RMQ,
  options: {
    urls: [process.env.BROKER_URL!],
    queue: 'nestjs.orders',
    queueOptions: { durable: true },
    prefetchCount: 1000,
    // amqplib turns Nagle's algorithm on unless told otherwise.
    socketOptions: { connectionOptions: { noDelay: true } },
  },
};
