// Answers GET /v1/orders/:id with what the service replies.
import 'reflect-metadata';
import { Controller, Get, Inject, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxy, ClientsModule } from '@nestjs/microservices';
import { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import { broker } from './broker';

@Controller('v1/orders')
class OrdersController {
  constructor(@Inject('ORDERS') private readonly orders: ClientProxy) {}

  @Get(':id')
  get(@Param('id') id: string) {
    return this.orders.send('orders.get', { id });
  }
}

@Module({
  imports: [ClientsModule.register([{ name: 'ORDERS', ...broker }])],
  controllers: [OrdersController],
})
class GatewayModule {}

async function main() {
  const app = await NestFactory.create<NestFastifyApplication>(GatewayModule, new FastifyAdapter(), {
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.get<ClientProxy>('ORDERS').connect();
  const [host, port] = process.env.ADDR!.split(':');
  await app.listen(Number(port), host);
  console.log('ready');
}

void main();
