// Replies to the gateway with an order.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, MicroserviceOptions, Payload } from '@nestjs/microservices';
import { broker } from './broker';

const order = require('../order.json');

@Controller()
class OrdersController {
  @MessagePattern('orders.get')
  get(@Payload() request: { id: string }) {
    return { ...order, id: request.id };
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

async function main() {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(OrdersModule, {
    ...broker,
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('ready');
}

void main();
