"""The client kit that bridge and simulator share: addresses, and MQTT (`mqtt_parser`, `mqtt_packets`, `mqtt_client`: paho).

WebSocket is in hub/websocket, the STOMP codec in hub/stomp. Nothing here imports another room of the hub.
"""
